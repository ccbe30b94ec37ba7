"""Every word on the page, by view and by label; {names} are filled in by page.js."""

from __future__ import annotations

VIEWS = {  # title, what to see, why
    "header": (
        "One image, from words to pixels",
        "This page is about one run of one model: its numbers, curves and images were computed by that run, or by the "
        "same code on the same weights. Only the points in the plane have a small network of their own.",
        ""),
    "words": (
        "The prompt becomes vectors",
        "Step through a word to see its bytes merge into a token; then see which earlier words each word listens to.",
        "A model knows no letters. Byte-pair encoding starts from single bytes and merges neighbouring pairs, in the "
        "order in which it learned the merges, until none is left. Each token is an id, each id a learned vector, and "
        "the text encoder mixes these vectors: a token sees itself and those before it, never those after it."),
    "noise": (
        "What noise does to an image",
        "Move the slider from the image to pure noise: at the end nothing of the image is left, and yet the run began "
        "there.",
        "A latent is what the autoencoder makes of an image: a grid of fewer pixels and more channels, from which its "
        "decoder can draw the image again. The UNet was trained on x = α x₀ + σ ε, the latents x₀ of an image mixed "
        "with normal noise ε, and noise in latents does not look like noise in pixels once it is decoded. The curve "
        "says how much of both there is at a time t."),
    "film": (
        "From noise to the image",
        "Play it: colours and the layout are decided in the first steps, shapes soon after, and the last steps only "
        "polish. The curve below has fallen far where the shapes are settled.",
        "In each step the UNet looks at x, which is still noisy, and says what the clean image x₀ might be: once with "
        "the prompt and once without. Guidance combines both, and the sampler moves x a little towards the result, "
        "then asks again."),
    "guidance": (
        "Guidance goes beyond the prompt",
        "The two answers of the UNet span a plane; guidance starts at the one without the prompt and walks past the "
        "other. First what that changed in this image, then how.",
        "guided = uncond + scale · (cond − uncond). The arrows have their true lengths and angle, in a space of "
        "{size} dimensions, of which they fill only two. Early on the answers differ most; later both see the same "
        "image. A larger scale follows the prompt more closely, up to where colours and edges are overdone."),
    "attention": (
        "Which words moved which pixels",
        "Choose a word: bright pixels listened to it while they were drawn. In the mean of all heads most words look "
        "alike; a single head often knows best. What a word causes is shown where one is changed, below.",
        "Each cross-attention layer asks, for each pixel of its feature map, how well each token fits, and mixes the "
        "tokens' values by these weights. The maps are the weights themselves, as coarse as the layer that has them; "
        "start of text is where pixels look that need no word."),
    "network": (
        "Inside the UNet",
        "Follow the blocks from left to right, down to the smallest feature maps and up again; choose one to see what "
        "it computed and the lines that did, forwards and backwards.",
        "Each level down halves the resolution; a tall block takes long, a flat one does not. Skip connections, the "
        "dashed arrows, carry what was seen on the way down to a block of the same level on the way up: what was kept "
        "last is read first."),
    "paths": (
        "The way through latent space",
        "Each seed starts in noise of its own and ends in an image of its own; images that are alike, such as those "
        "with the same background, end near each other.",
        "Each line is one run, its latents of {size} dimensions projected onto the two directions in which these runs "
        "differ most: a shadow of the way. A sampler is a rule for taking a few long steps along a smooth curve: the "
        "table compares where three of them end, with the same noise, with where many small steps end."),
    "plane": (
        "The same code with points in the plane",
        "Where an image has thousands of dimensions, a point has two, so the whole field can be drawn: what was "
        "learned, on the left, and what is exactly right, on the right.",
        "A small network was trained for this page, in about a second, on points of two spiral arms, with the same "
        "losses, schedules and samplers. For so few points the best possible answer is known: the mean of all points, "
        "each weighted by how likely it is after the noise. Move the slider from noise to data."),
    "losses": (
        "Where the model is wrong",
        "Each curve is the model's squared error at every amount of noise, with the right caption, a wrong one and "
        "none: the gaps between them are what the caption is worth.",
        "Training asks one question again and again: here is a noisy image and its caption, what is under the noise? "
        "In pure noise, on the right, the answer can only be a mean of all images that the caption fits. How often "
        "each time t is asked, and how much an error counts there, are choices of training: what trains is the "
        "product of all three, drawn below."),
    "changed_word": (
        "One word changed",
        "The same noise, one other word: in the first step only the layers that read the text can part the runs, and "
        "all that comes after them carries it on.",
        "Rows are the stages of the UNet in running order, columns are steps. The more orange a cell, the more the two "
        "runs differ there: ‖a − b‖ / ‖a‖, for outputs with the prompt. In the first step everything starts equal, and "
        "only the attentions, in bold, can tell the runs apart, as they alone read the words."),
    "training": (
        "How the model learned",
        "Losses fall, and images get better with them; a dashed line is the loss of mere guessing.",
        "A model is trained in stages: the autoencoder, then the contrastive model, which ties captions to images, and "
        "then the UNet. Held-out losses are those of images that are never trained on. Axes are logarithmic."),
    "backwards": (
        "One step of training, backwards",
        "Every layer gets a gradient, passed on by the backward function beside its forward function; one of them is "
        "checked here against a difference quotient.",
        "A batch of noisy latents went through the UNet, and its error came back through the same layers in reverse. "
        "A bar is how far one step could move a stage: the norm of its gradient over the norm of its weights."),
}

LABELS = {
    "title": "minidiff explain", "light_dark": "Light or dark", "contents": "Contents", "source": "Source",
    "close": "Close", "line": "line {line}", "play": "Play", "pause": "Pause", "of": "{i} of {n}",
    "no_script": "This page needs JavaScript, which your browser has switched off for it.",
    "hint_keys": "Keys: space plays, ← and → step.",
    "footer": "Written by {command}. Everything on this page is in this one file; it asks nothing of the network.",
    "prompt": "prompt", "seed": "seed", "model": "model", "sampler": "sampler", "steps": "steps",
    "guidance": "guidance", "negative": "negative prompt", "image": "image", "parameters": "parameters",
    "image_alt": "The image that was drawn for “{prompt}”", "judge_reads": "The judge, which sees only pixels, reads",
    "judge_background": "on a {background} background", "judge_nothing": "nothing",
    "check_count": "number of objects", "check_shape": "shapes", "check_colour": "colours", "check_size": "size",
    "check_place": "place", "check_relation": "relation", "check_background": "background",
    "check_right": "all right", "yes": "right", "no": "wrong",
    "no_judge": "Nobody checks this image: the judge reads built-in scenes, of models that were trained on them.",
    "flow_prompt": "prompt", "flow_tokens": "{n} tokens", "flow_text": "text encoder", "flow_noise": "noise",
    "flow_latents": "{shape} values", "flow_unet": "UNet, {n} steps", "flow_parameters": "{n} parameters",
    "flow_decoder": "decoder", "flow_image": "{h} × {w} pixels",
    "token_table": "Tokens and their vectors",
    "merge_step": "merge {i} of {n}", "merge_start": "bytes", "merges": "merges", "token": "token", "id": "id",
    "own_vector": "vector of the id", "after_encoder": "after the text encoder",
    "padding": "+ {n} padding",
    "vector_alt": "{width} values of the token {token} as colours from blue, negative, to orange, positive",
    "causal": "Who listens to whom in the text encoder", "causal_layer": "layer", "causal_head": "head",
    "causal_all": "all, mean", "causal_alt": "Attention of the text encoder: rows listen, columns are listened to",
    "causal_note": "Rows listen to columns. The empty upper triangle is the causal mask.",
    "causal_cell": "“{a}” listens to “{b}”: {w}", "axis_time": "time t, from 0, the image, to {last}, noise",
    "noise_time": "time t", "noise_factor": "α and σ", "noise_pixels": "noise in pixels",
    "noise_decoded": "noise in latents, decoded", "noise_channels": "the {n} latent channels",
    "noise_alpha": "α, image", "noise_sigma": "σ, noise", "noise_snr": "signal to noise", "noise_none": "none left",
    "noise_only": "no noise", "db": "{x} dB", "noise_alt": "The image with noise at time {t}",
    "noise_curve_alt": "α falls and σ rises with the time t", "channel_alt": "Latent channel {c} at time {t}",
    "film_x": "x, as it is", "film_uncond": "x₀ without the prompt", "film_cond": "x₀ with the prompt",
    "film_guided": "x₀, guided", "film_alt": "{what} in step {i}", "film_step": "step",
    "film_strip": "All guesses of x₀",
    "film_change": "how far each guess is from the final one: mean difference of a pixel, in levels of 255",
    "film_change_alt": "The difference of each guess from the final one falls over the steps",
    "guide_uncond": "without the prompt", "guide_cond": "with the prompt", "guide_guided": "guided",
    "guide_angle": "angle between both answers", "guide_apart": "apart",
    "guide_noise": "length of noise: {x}", "guide_ruler": "a length of {x}",
    "guide_unit": "A length is ‖y‖, the root of the sum of squares of the {n} values of an answer, in units of "
        "latents: noise of standard deviation 1 has √{n} = {x}.",
    "guide_outside": "All three lie in one plane, but for a rounding error of {x}.",
    "guide_alt": "Three arrows in the plane of the two answers", "guide_strip": "The same noise with other scales",
    "guide_no_prompt": "0 · no prompt", "guide_this": "this run", "guide_what": "What scale {scale} changed here",
    "guide_how": "How: both answers and the guided one, step by step",
    "guide_plain": "scale 1: the prompt alone", "guide_own": "scale {scale}: this run",
    "guide_difference": "difference: the more orange, the larger",
    "guide_change": "Compared with scale 1, scale {scale} changed {percent} % of the pixels visibly, by more than 32 "
        "of 255 levels; on average a pixel changed by {levels}.",
    "guide_judge": "The judge finds the prompt drawn right at scale {right}, wrong at {wrong}.",
    "guide_judge_all": "The judge finds the prompt drawn right at every scale below.",
    "guide_judge_none": "The judge finds it drawn right at no scale below.",
    "guide_negative": "0 · negative prompt",
    "no_guidance": "This run followed the prompt alone, without guidance: its scale is 1 or less.",
    "att_layer": "layer", "att_head": "head", "att_step": "step", "att_all": "all, mean", "att_token": "word",
    "att_alt": "Attention to “{token}” as bright areas over the image", "start": "start", "end": "end",
    "att_overlap": "How much of a word's attention lies on its object",
    "att_row": "“{word}”: {inside} % of its attention in the box of the {object}, which is {area} % of the image.",
    "att_best": "Head {head} of {layer}: {inside} %.", "att_gain": "× {x}",
    "att_bar_mean": "fraction of a word's attention inside its object's box, mean of all layers and heads",
    "att_bar_best": "the same of the best head", "att_bar_area": "fraction of the image that the box covers",
    "att_bar_gain": "× 2: twice as much attention as if it ignored the object, × 1",
    "att_none": "The judge found no object that a word of the prompt names, so there is no overlap to show.",
    "att_no_scene": "Where objects lie is known of built-in scenes only, so no overlap with them is shown.",
    "net_shape": "output", "net_parameters": "parameters", "net_time": "time", "net_ms": "{x} ms",
    "net_size": "size of a value", "net_maps": "Feature maps in step {i}", "net_alt": "Feature map {c} of {name}",
    "net_skip": "skip connection ({n})", "net_forward": "forwards", "net_backward": "backwards",
    "net_diagram_alt": "The stages of the UNet in running order, low where the resolution is low",
    "path_alt": "Paths of {n} runs from noise to images, projected to two dimensions", "path_seed": "seed {seed}",
    "path_steps": "{n} steps", "path_off": "{x} % off", "path_step": "step",
    "path_table": "Three samplers, one noise", "path_true": "many steps",
    "path_first": "first principal direction", "path_second": "second principal direction",
    "path_kept": "The two directions keep {percent} % of the variance of the latents of all these runs and steps; what "
        "else differs cannot be seen here, so that lines that cross need not meet.",
    "path_unstable": "Why heun with {n} steps is {off} % off: it goes along the mean of two slopes, one at each end "
        "of a step, and these are slopes in σ/α. This schedule begins in pure noise, where σ/α is infinite (4,096 "
        "stands for it), so that the first step is about 4,000 long, and the small difference between both slopes is "
        "multiplied by that. Shorter steps make it smaller. The other two move towards x₀ itself, and "
        "nothing is multiplied.",
    "path_noise": "its noise", "path_here": "where it is at this step", "path_reference": "{n} steps of {sampler}",
    "path_calls": "{n} calls", "plane_learned": "learned", "plane_exact": "exact",
    "plane_alt": "Arrows from noisy points to the denoised ones: {kind}", "plane_time": "noise", "plane_data": "data",
    "plane_points": "points on their way",
    "plane_arrows": "from x towards E[x₀ | x], the mean of what x may have been",
    "plane_error": "learned and exact arrows differ by {x} % here",
    "loss_error_alt": "Error per noise level with the right, a wrong and no caption", "loss_right": "right caption",
    "loss_wrong": "“{text}”", "loss_none": "no caption", "loss_y": "mean squared error of the answer ({kind})",
    "loss_trains": "What trains is the product: error × weight × frequency", "loss_law": "frequency of t (1: uniform)",
    "loss_weight": "weight of an error", "loss_product": "error × weight × frequency",
    "loss_law_alt": "Histogram of training times", "loss_weight_alt": "Weight of an error at each time",
    "loss_product_alt": "Product of error, weight and frequency at each time",
    "loss_sum": "Its mean over all times is the loss that training lowers, for this caption {loss}. The "
        "product is largest around t = {peak}, the error itself at t = {worst}.",
    "loss_extra": "{x} % of the questions are pure noise, besides those drawn.",
    "loss_data_scenes": "Measured on {n} true scenes with this caption.",
    "loss_data_own": "Measured on {n} images that this model drew for the prompt.",
    "loss_setting": "Frequency and weight (“{weighting}”) are those of “minidiff train”.",
    "loss_run": "Frequency and weight (“{weighting}”) are those of the run in “{folder}”.",
    "changed_alt": "Difference of two runs per stage and step", "changed_cell": "{stage}, step {i}: {x}",
    "changed_columns": "step", "changed_equal": "0, equal", "changed_most": "{x}, the largest difference",
    "changed_curve": "difference of x", "changed_step": "step",
    "changed_film_alt": "x₀ of “{prompt}” in step {i}",
    "changed_none": "There is no word in this prompt to change.", "train_loss": "loss",
    "train_held_out": "held-out loss", "train_step": "step", "train_chance": "chance, ln {n} = {x}",
    "train_alt": "Losses of {stage}", "train_samples": "What it drew on the way",
    "train_sample": "{stage}, step {step}",
    "train_y": "{stage}: loss",
    "no_run": "The files of a model do not say how it learned; the folder of a training run does. To see it here:",
    "run_1": "Trains a small model from nothing, in five minutes, without a download.",
    "run_2": "Writes this page about it. Of a model elsewhere, --run names the folder of its run.",
    "back_alt": "Norms of gradients of each stage", "back_axis": "‖gradient‖ / ‖weights‖ of each stage, logarithmic",
    "back_middle": "Why the largest is {times} times the smallest, that of {least}: an error reaches a deep stage "
        "only through all stages above it, and at each level a skip connection leads around what is deeper. The loss "
        "of this batch is {loss}; without mid_block, its output set to 0, it is {without}.",
    "back_around": "So the middle is hardly needed here: skip connections carry what matters, and so the error too.",
    "back_needed": "So the middle does matter here, though little of an error has to pass through it.",
    "back_check": "One derivative, twice", "back_weight": "weight", "back_backward": "by backward",
    "back_difference": "(loss(w + h) − loss(w − h)) / 2h", "back_off": "relative difference",
    "back_note": "In float64, with h = {h}.",
    "too_large": "Left out: with a model of this size, this view would take hours.",
}

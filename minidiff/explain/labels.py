"""Every other word on the page, by label; scripts fill in {names}, and [names] become the numbers of views."""

from __future__ import annotations

LABELS = {
    "title": "minidiff explain", "light_dark": "Light or dark", "contents": "Contents", "source": "Source",
    "close": "Close", "line": "line {line}", "play": "Play", "pause": "Pause", "of": "{i} of {n}",
    "no_script": "This page needs JavaScript, which your browser has switched off for it.",
    "hint_keys": "Keys: space plays, ← and → step.",
    "footer": "Written by {command}. Everything on this page is in this one file; it asks nothing of the network.",
    "prompt": "prompt", "seed": "seed", "model": "model", "sampler": "sampler", "steps": "steps",
    "guidance": "guidance", "negative": "negative prompt", "image": "image", "parameters": "parameters",
    "image_alt": "The image that was drawn for “{prompt}”", "point": "Point at the chart to read its values.",
    "judge_reads": "The judge, a program that sees the image and not the prompt, reads, in the words of captions",
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
    "padding": "+ {n} padding; [attention] says how much pixels attend to it",
    "vector_alt": "{width} values of the token {token} as colours from blue, negative, to orange, positive",
    "causal": "Who listens to whom in the text encoder", "causal_layer": "layer", "causal_head": "head",
    "causal_all": "all, mean", "causal_alt": "Attention of the text encoder: rows listen, columns are listened to",
    "causal_note": "Rows listen to columns. The hatched upper triangle is the causal mask.",
    "causal_none": "This text encoder has no layers: no word listens to another.",
    "causal_scale": "1: all attention; the colour grows with the square root",
    "vectors_alike": "Most alike after the encoder are “{a}” and “{b}”: the cosine of their angle, 1 for the same "
        "direction, is {read} there, and {own} before it.",
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
    "film_change_alt": "The difference of each guess from the final one, over the steps",
    "film_answer": "What the UNet answers is {answer}; with x, it says that {x0}.",
    "film_steered": "Without the prompt, x₀ still resembles what was asked for: the UNet sees the same x, which the "
        "prompt has steered since step 1. What no prompt has steered is in [guidance], at scale 0.",
    "film_replaced": "In step 1 the schedule's α is 0, and σ/α infinite; samplers that count in σ/α compute with "
        "α = 1/{ratio} instead, as the published ones do.",
    "film_rise": "It rises in step {steps}: a blurred guess lies between many images and may be nearer to the final "
        "one than a sharper guess that is not yet in its place.",
    "answer_epsilon": "ε, the noise", "x0_epsilon": "x₀ = (x − σ ε) / α", "factor_epsilon": "α/σ",
    "answer_sample": "x₀, the image itself", "x0_sample": "x₀ is the answer", "factor_sample": "1",
    "answer_v_prediction": "v = α ε − σ x₀, noise less image", "x0_v_prediction": "x₀ = α x − σ v",
    "factor_v_prediction": "1/σ", "answer_flow_prediction": "v = ε − x₀, the way from image to noise",
    "x0_flow_prediction": "x₀ = x − σ v", "factor_flow_prediction": "1/σ",
    "guide_uncond": "without the prompt", "guide_cond": "with the prompt", "guide_guided": "guided",
    "guide_angle": "angle between both answers", "guide_apart": "answers apart", "guide_apart_x0": "their x₀ apart",
    "guide_course": "In this run the x₀ of both answers are farthest apart in step {most}, {x}, and {last} apart in "
        "the last step.",
    "guide_rise": "The answers themselves are closest in step {i}, {x} apart, and {last} in the last: a difference of "
        "x₀ counts {factor} times in an answer, which is {before} in step {i} and {after} in the last.",
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
    "att_range": "{low}–{top} %",
    "att_scale": "Below each word: the smallest weight of its map, black, and the largest, white, in % of a pixel's "
        "attention.",
    "att_received": "Of all attention in this run, {start} % went to start of text, {words} % to the words, {end} % to "
        "end of text, and {padding} % to padding.",
    "att_padding": "Each of the {n} tokens that pad the prompt comes after all words and has read them all, so "
        "pixels can learn of a word without attending to it.",
    "att_row": "“{word}”: {inside} % of its attention in the box of the {object}, which is {area} % of the image.",
    "att_best": "Best head, {head} of {layer}: {inside} %, “start” there {start} %.", "att_gain": "× {x}",
    "att_heads": "The best of {n} heads is the one in which most attention goes to the word in its box beyond what "
        "“start” has there. “Start” knows no word: a head that gives both the same fraction knows the place, not the "
        "word. The best of so many is above the mean by chance alone.",
    "att_bar_mean": "fraction of a word's attention inside its object's box, mean of all layers and heads",
    "att_bar_best": "the same of the best head", "att_bar_area": "fraction of the image that the box covers",
    "att_bar_gain": "the first over the last: × 1 ignores the object, × 2 is twice as much in its box",
    "att_none": "The judge found no object that a word of the prompt names, so there is no overlap to show.",
    "att_no_scene": "Where objects lie is known of built-in scenes only, so no overlap with them is shown.",
    "net_shape": "output", "net_parameters": "parameters", "net_time": "shortest time of all steps", "net_ms": "{x} ms",
    "net_size": "root mean square of its values", "net_maps": "Feature maps in step {i}",
    "net_alt": "Feature map {c} of {name}",
    "net_skip": "skip connection ({n})", "net_forward": "forwards", "net_backward": "backwards",
    "net_diagram_alt": "The stages of the UNet in running order, low where the resolution is low",
    "path_alt": "Paths of {n} runs from noise to images, projected to two dimensions", "path_seed": "seed {seed}",
    "path_steps": "{n} steps", "path_off": "{x} % off", "path_step": "step",
    "path_table": "Three samplers, one noise",
    "path_off_note": "What the samplers are compared with: where {n} steps of {sampler} end. “% off” is how far away "
        "latents end: ‖end − this end‖ / ‖this end‖. It is a sampler's answer too, only with many more steps, so small "
        "differences from it say little.",
    "path_decided": "In the first direction, where a run ends is correlated with where it begins, by {r}: what differs "
        "most among these images is to a large part decided by their noise.",
    "path_first": "first principal direction", "path_second": "second principal direction",
    "path_kept": "The two directions keep {percent} % of the variance of the latents of all these runs and steps; what "
        "else differs cannot be seen here, so that lines that cross need not meet.",
    "path_unstable": "Why heun with {n} steps is {off} % off: it goes along the mean of two slopes, ε at both ends of "
        "a step, and a step multiplies slopes by α′ (σ/α − σ′/α′), where ′ marks its end. This schedule begins in pure "
        "noise, where σ/α is infinite (4,096 stands for it), so that this factor is huge: about {factors} in the first "
        "of {steps} steps. The two slopes differ by {differences} % of their length. With more steps the first one "
        "ends nearer to pure noise, where α′ is smaller, so that the factor falls. The other two samplers move towards "
        "x₀ itself, and nothing is multiplied.",
    "path_noise": "its noise", "path_here": "where it is at this step", "path_reference": "{n} steps of {sampler}",
    "path_calls": "{n} calls", "plane_learned": "learned", "plane_exact": "exact",
    "plane_alt": "Arrows from noisy points to the denoised ones: {kind}", "plane_time": "noise", "plane_data": "data",
    "plane_datum": "data", "axis_noise": "σ, noise",
    "plane_points": "points on their way",
    "plane_arrows": "from x towards E[x₀ | x], the mean of what x may have been",
    "plane_error": "The arrows are those at σ = {sigma}; learned and exact ones differ by {x} %.",
    "plane_sampler": "{sampler} moves the points in {steps} steps; shown are some between which α and σ change about "
        "equally. At σ = 0 the arrows are those of the last step.",
    "loss_error_alt": "Error per noise level with the right, a wrong and no caption", "loss_right": "right caption",
    "loss_wrong": "“{text}”", "loss_none": "no caption", "loss_y": "mean squared error of the answer ({kind})",
    "loss_pure": "At t = {t} hardly anything but noise is left to see, so that the best answer is a mean of images. "
        "The error of answering 0 is {zero}, that without a caption {none}, that with the right one {right}. The mean "
        "square of the difference of the last two answers is {apart}: what the caption is worth there. As a length, "
        "the root of the sum of squares, the same difference in a step of this run is in [guidance].",
    "loss_trains": "What trains is the product: error × weight × frequency",
    "loss_law": "frequency of t, relative to its mean",
    "loss_weight": "weight of an error", "loss_product": "error × weight × frequency",
    "loss_law_alt": "Histogram of training times", "loss_weight_alt": "Weight of an error at each time",
    "loss_product_alt": "Product of error, weight and frequency at each time",
    "loss_sum": "Its mean over all times is the loss that training lowers, for this caption {loss}. The "
        "product is largest around t = {peak}, the error itself at t = {worst}.",
    "loss_extra": "Another {x} % of all questions are pure noise: they are in the loss, and not in the charts.",
    "loss_data_scenes": "Measured on {n} true scenes with this caption.",
    "loss_data_own": "Measured on {n} images that this model drew for the prompt.",
    "loss_setting": "Frequency and weight (“{weighting}”) are those of “minidiff train”.",
    "loss_run": "Frequency and weight (“{weighting}”) are those of the settings.json in “{folder}”.",
    "changed_alt": "Difference of two runs per stage and step", "changed_cell": "{stage}, step {i}: {x}",
    "changed_columns": "step", "changed_equal": "0, equal", "changed_most": "{x}, the largest difference",
    "changed_curve": "difference of x after this step", "changed_step": "step", "changed_film": "x₀ of",
    "changed_jump": "The largest difference is that of {stage} in step {step}: {after}.",
    "changed_why": "In {name} just before it is {before}: a difference is relative to the whole output, and this stage "
        "keeps more of what differs than of what both runs have in common.",
    "changed_film_alt": "x₀ of “{prompt}” in step {i}",
    "changed_none": "There is no word in this prompt to change.", "train_loss": "loss",
    "train_held_out": "held-out loss", "train_step": "step", "train_chance": "chance, ln {n} = {x}",
    "train_alt": "Losses of {stage}", "train_samples": "What it drew on the way",
    "train_sample": "{stage}, step {step}",
    "train_y": "{stage}: loss", "train_dashed": "A dashed line is the loss of mere guessing.",
    "train_curves": "Both axes are logarithmic. Held-out losses are those of images that are never trained on.",
    "no_run": "How a model learned stands in the metrics.jsonl of its training run, which is not here. To see it:",
    "run_1": "Trains a small model from nothing, in five minutes, without a download.",
    "run_2": "Writes this page about it. Of a model elsewhere, --run names the folder of its run.",
    "back_alt": "Norms of gradients of each stage", "back_axis": "‖gradient‖ / ‖weights‖ of each stage, logarithmic",
    "back_middle": "Why the largest is {times} times the smallest, that of {least}: an error reaches a deep stage "
        "only through all stages above it, and at each level a skip connection leads around what is deeper.",
    "back_loss": "This batch has {n} noisy latents, at t = {t}. Its loss, weighted as in training (“{weighting}”), is "
        "{loss}; [losses] has the mean over all times. Without mid_block, its output set to 0, it is {without}.",
    "back_around": "So for this batch the middle is hardly needed: skip connections carry what matters, and the error.",
    "back_needed": "So for this batch the middle does matter, though little of an error has to pass through it.",
    "back_check": "The steepest weight on the way down, in the middle and on the way up: each derivative twice",
    "back_weight": "weight", "back_backward": "by backward",
    "back_difference": "(loss(w + h) − loss(w − h)) / 2h", "back_off": "relative difference",
    "back_note": "In float64, with h = {h}.",
    "too_large": "Left out: with a model of this size, this view would take hours.",
}

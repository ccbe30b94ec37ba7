"""What each view says of itself; [names] in it become links to other views. All other words are in labels.py."""

from __future__ import annotations

VIEWS = {  # title, what to see, why
    "header": (
        "One image, from words to pixels",
        "This page is about one run of one model: its numbers, curves and images were computed by that run, or by the "
        "same code on the same weights. Only the points in the plane have a small network of their own, and the "
        "losses of training are those that its run wrote down.",
        ""),
    "words": (
        "The prompt becomes vectors",
        "Step through the merges to see the bytes of all words become tokens; then see which earlier words each word "
        "listens to.",
        "A model knows no letters. Byte-pair encoding starts from single bytes and merges neighbouring pairs, in the "
        "order in which it learned the merges, until none is left. Each token is an id, each id a learned vector, and "
        "the text encoder mixes these vectors: a token sees itself and those before it, never those after it."),
    "noise": (
        "What noise does to an image",
        "Move the slider from the image to pure noise: at the end next to nothing of the image is left, and yet the "
        "run began there.",
        "A latent is what the autoencoder makes of an image: a grid of fewer pixels and more channels, from which its "
        "decoder can draw the image again. The UNet was trained on x = α x₀ + σ ε, the latents x₀ of an image mixed "
        "with normal noise ε, and noise in latents does not look like noise in pixels once it is decoded. The curve "
        "says how much of both there is at a time t."),
    "film": (
        "From noise to the image",
        "Play it: the layout is decided in the first steps, colours and shapes soon after, and the last steps only "
        "polish. The curve below says how much each guess still has to change.",
        "In each step the UNet looks at x, which is still noisy, and says what the clean image x₀ might be: once with "
        "the prompt and once without. Guidance combines both, and the sampler moves x a little towards the result, "
        "then asks again."),
    "guidance": (
        "Guidance goes beyond the prompt",
        "The two answers of the UNet span a plane; guidance starts at the one without the prompt and walks past the "
        "other. First what that changed in this image, then how.",
        "guided = uncond + scale · (cond − uncond). The arrows have their true lengths and angle, in a space of "
        "{size} dimensions, of which they fill only two; what an answer is, [film] says. A larger scale follows the "
        "prompt more closely, up to where colours and edges are overdone."),
    "attention": (
        "Which words pixels listened to",
        "Choose a word: bright pixels listened to it while they were drawn. In the mean of all heads most words look "
        "alike; single heads look for some words where their objects are, and for others they do not.",
        "Each cross-attention layer asks, for each pixel of its feature map, how well each token fits, and mixes the "
        "tokens' values by these weights. The maps are the weights themselves, as coarse as the layer that has them. "
        "Start of text precedes all words and knows none of them: it is where pixels look that need no word. To "
        "listen is not yet to obey; what a word causes is shown where one is changed, in [changed_word]."),
    "network": (
        "Inside the UNet",
        "Follow the blocks from left to right, down to the smallest feature maps and up again; choose one to see what "
        "it computed and the lines that did, forwards and backwards.",
        "Each level down halves the resolution; the taller a block, the longer it takes. Skip connections, the "
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
        "learned, on the left, and the exact answer for these points, on the right.",
        "A small network was trained for this page, in about a second, on points of two spiral arms, with the schedule "
        "and the prediction of this model, by a plain squared error at evenly drawn times. For so few points the best "
        "possible answer is known: the mean of all points, each weighted by how likely it is after the noise. Move the "
        "slider from noise to data: the exact field leads the moving points to the data, the learned one near them."),
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
        "all that comes after them carries it on. More than that word may change: nothing was decided yet.",
        "Rows are the stages of the UNet in running order, columns are steps. The more orange a cell, the more the two "
        "runs differ there: ‖a − b‖ / ‖a‖, for outputs with the prompt. In the first step everything starts equal, and "
        "only the attentions, in bold, can tell the runs apart, as they alone read the words."),
    "training": (
        "How the model learned",
        "A model is trained in stages: the autoencoder, then the contrastive model, which ties captions to images, and "
        "then the UNet.",
        "Each stage starts from what the one before has learned, and has a loss of its own."),
    "backwards": (
        "One step of training, backwards",
        "Every layer gets a gradient, passed on by the backward function beside its forward function; single "
        "derivatives are checked here against difference quotients.",
        "A batch of noisy latents went through the UNet, and its error came back through the same layers in reverse. "
        "A bar is the norm of a stage's gradient over the norm of its weights: times the learning rate, the fraction "
        "of itself by which plain gradient descent would move the stage. The optimizers here divide by the usual "
        "size of a gradient, and so move a stage with a short bar about as far."),
}

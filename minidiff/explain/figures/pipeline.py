"""A prompt that becomes an image, with the values on the way; guidance; negative prompts; inpainting."""

from __future__ import annotations

import numpy as np

from ...pipeline import Pipeline
from ..canvas import BLUE, GREEN, INK, ORANGE, PAPER, RED, SOFT, Canvas, blend

PROMPT, SEED, SEEN = "a red heart above a blue square", 3, (0, 3, 7, 19)
SCALES = (0, 1, 3, 6, 12)
REMARKS = {0: ("the empty", "one instead"), 1: ("the prompt", "alone"), 3: ("the model's", "default")}
NEGATIVES, FIRST = ("", "a small green star", "a large green star"), 2


def figure():
    canvas = Canvas(980, 690)
    pipe = Pipeline.from_pretrained("scenes", device="cpu")
    image = prompt_to_image(canvas, pipe)
    guidance(canvas, pipe, 24, 298)
    negatives(canvas, pipe, 24, 446)
    inpainting(canvas, pipe, image, 472, 446)
    return canvas.finished()


def pixels(image):
    """Values from -1 to 1 as uint8."""
    return np.uint8(np.round(127.5 * (np.clip(image, -1, 1) + 1)))


def framed(canvas, image, left, top, side, smooth=True):
    canvas.place(image, left, top, side, side, smooth)
    canvas.box(left, top, left + side, top + side, outline=blend(SOFT, PAPER, 0.5), width=1)


def decoded(pipe, latents):
    return pixels(pipe.vae.decode(latents / pipe.vae.config.scaling_factor)[0][0])


def prompt_to_image(canvas, pipe):
    """From left to right: tokens, context, x and the network's guess of x0, the image; returns that."""
    moments = list(pipe.stream(PROMPT, seed=SEED))
    (ids, context), noise, image = moments[0].value, moments[1].value, moments[-1].value[0]
    heads = ((24, "tokenizer", "ids (1, 20)"), (152, "text_encoder", "context (1, 20, 96)"),
             (346, "normal, then scheduler.sample: 20 steps of guided, unet, denoised, advance", "x (1, 16, 16, 12)"),
             (844, "vae.decode", "image (1, 64, 64, 3)"))
    for left, function, shape in heads:
        canvas.text((left, 22), function, INK, 14, "lm")
        canvas.text((left, 41), shape, BLUE, 12, "lm")
    tokens(canvas, pipe.tokenizer, ids[0], 24, 60)
    rows = context[0] / np.abs(context[0]).max()
    canvas.place(signed(rows), 152, 60, 144, 200, smooth=False)
    canvas.box(152, 60, 296, 260, outline=SOFT, width=1)
    for y in (108, 212):
        canvas.arrow((306, y), (336, y), SOFT, 2, 8)
        canvas.arrow((804, y), (834, y), SOFT, 2, 8)
    states = [moment.value for moment in moments if moment.name == "sampling" and moment.value.i in SEEN]
    for i, x in enumerate([noise, *(state.x for state in states)]):
        left = 346 + 92 * i
        framed(canvas, pixels(x[0, ..., :3] / 3), left, 60, 84, smooth=False)
        canvas.text((left + 42, 154), f"after {states[i - 1].i + 1}" if i else "noise", SOFT, 12)
        if i:
            framed(canvas, decoded(pipe, states[i - 1].denoised), left, 170, 84)
    canvas.text((430, 204), "its guess", SOFT, 12, "rm")
    canvas.text((430, 220), "of x0, decoded", SOFT, 12, "rm")
    framed(canvas, pixels(image), 844, 92, 112)
    canvas.text((900, 220), f"seed {SEED}", SOFT, 12)
    return pixels(image)


def tokens(canvas, tokenizer, ids, left, top):
    """The tokens of a text with their ids; those after its end are all the same."""
    for i, number in enumerate(ids[:10]):
        y = top + 10 + 20 * i
        name = tokenizer.tokens[number].replace("</w>", "").replace("<|startoftext|>", "start").replace(
            "<|endoftext|>", "end")
        colour = SOFT if name in ("start", "end") else GREEN
        canvas.box(left, y - 8, left + 62, y + 8, blend(colour, PAPER, 0.85), radius=4)
        canvas.text((left + 31, y), name, INK, 12)
        canvas.text((left + 100, y), str(number), SOFT, 12, "rm")


def signed(values):
    """-1 to 1 as orange, white, blue: (H, W) -> (H, W, 3)."""
    strength = np.abs(values)[..., None] ** 0.7
    colour = np.where(values[..., None] > 0, BLUE, ORANGE)
    return np.uint8(np.round(255 + strength * (colour - 255.0)))


def guidance(canvas, pipe, left, top):
    canvas.text((left, top), "guidance: the same noise, uncond + scale (cond - uncond)", INK, 15, "lm")
    for i, scale in enumerate(SCALES):
        prompt, used = (PROMPT, scale) if scale else ("", 1)
        [image] = pipe(prompt, seed=SEED, guidance_scale=used)
        framed(canvas, np.asarray(image), left + 188 * i, top + 18, 92)
        x, y = left + 188 * i + 102, top + 56
        canvas.text((x, y), f"scale {scale}" if scale else "no prompt", INK, 13, "lm")
        for k, line in enumerate(REMARKS.get(scale, ())):
            canvas.text((x, y + 18 + 14 * k), line, SOFT, 12, "lm")


def negatives(canvas, pipe, left, top):
    """A row for each negative prompt, a column for each seed."""
    canvas.text((left, top), '"a green star", and what it should not be', INK, 15, "lm")
    images = pipe(["a green star"] * 3, negative_prompt=list(NEGATIVES), num_images_per_prompt=3, seed=FIRST,
                  num_inference_steps=10)
    for row, negative in enumerate(NEGATIVES):
        y = top + 20 + 70 * row
        for line, text in enumerate(("without", negative) if negative else ("no negative", "prompt")):
            canvas.text((left, y + 25 + 15 * line), text, RED if negative else SOFT, 12, "lm")
        for column in range(3):
            framed(canvas, np.asarray(images[3 * row + column]), left + 128 + 92 * column, y, 64)
            if row == 2:
                canvas.text((left + 160 + 92 * column, y + 75), f"seed {FIRST + column}", SOFT, 12)


def inpainting(canvas, pipe, image, left, top):
    """An image, a mask, and the guesses of x0 that the sampler sees."""
    canvas.text((left, top), 'inpainting: "a red heart above a yellow star", where the mask is white', INK, 15, "lm")
    mask = np.zeros((64, 64), np.uint8)
    mask[32:] = 255
    moments = list(pipe.stream("a red heart above a yellow star", init_image=image, mask=mask, seed=1))
    states = [moment.value for moment in moments if moment.name == "sampling"]
    shown = [("image", image), ("mask", np.repeat(mask[..., None], 3, -1)),
             *((f"denoised, step {i + 1}", decoded(pipe, states[i].denoised)) for i in (0, 4, 9)),
             ("result", pixels(moments[-1].value[0]))]
    for i, (name, one) in enumerate(shown):
        x, y = left + 168 * (i % 3), top + 20 + 108 * (i // 3)
        framed(canvas, one, x, y, 88)
        canvas.text((x + 44, y + 98), name, SOFT, 12)

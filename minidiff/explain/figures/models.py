"""Stable Diffusion 1.5's UNet with the shapes of its feature maps, and an image that becomes latents."""

from __future__ import annotations

import numpy as np

from ...backend import random_stream
from ...data.scenes import Scene, Thing, images_of, to_float
from ...models.configs import UNetConfig
from ...storage.pipeline_folder import load_pipeline
from ..canvas import BLUE, GREEN, INK, ORANGE, PAPER, SOFT, Canvas, blend

CONFIG = UNetConfig()
SCENE = Scene((Thing("red", "heart", (30.0, 18.0), 11.0), Thing("blue", "square", (33.0, 46.0), 11.0)), "gray")
NOISE = (0, 0.1, 0.3, 1)  # standard deviations; that of the latents is 1
STEP, LEVEL, TALL = 23, 100, (76, 56, 40, 28)  # from block to block, from level to level; heights of blocks


def figure():
    canvas = Canvas(980, 650)
    unet(canvas)
    autoencoder(canvas)
    return canvas.finished()


def unet(canvas):
    """All blocks in running order from left to right, each at the height of its resolution."""
    canvas.text((24, 22), "UNet of Stable Diffusion 1.5", INK, 16, "lm")
    for x, colour, text in ((330, BLUE, "residual block, gets the time"), (576, ORANGE, "transformer, gets the text"),
                            (800, GREEN, "convolution")):
        canvas.box(x, 14, x + 16, 30, blend(colour, PAPER, 0.8), colour, 3)
        canvas.text((x + 24, 22), text, SOFT, 12, "lm")
    widths, layers = CONFIG.block_out_channels, CONFIG.layers_per_block
    lowest = len(widths) - 1
    x = row(canvas, 40, 0, [GREEN], f"{CONFIG.in_channels} in", above=True)
    ends = []
    for level, kind in enumerate(CONFIG.down_block_types):
        x = row(canvas, x, level, stage(kind) * layers, f"down_blocks.{level}")
        ends.append(x)
        if level < lowest:
            arrow(canvas, x, level, level + 1)
    x = row(canvas, x, lowest, [BLUE, ORANGE, BLUE], "mid", above=True)
    for i, kind in enumerate(CONFIG.up_block_types):
        level = lowest - i
        if level < lowest:
            arrow(canvas, x, level + 1, level)
            y = middle(level)
            canvas.dashed((ends[level] - 4, y), (x - 20, y), SOFT, 1.3)
            canvas.arrow((x - 20, y), (x - 12, y), SOFT, 1.3, 8)
            canvas.box(x / 2 + ends[level] / 2 - 66, y - 11, x / 2 + ends[level] / 2 + 50, y + 11, PAPER)
            canvas.text((x / 2 + ends[level] / 2 - 8, y), shape(level), INK, 14)
        x = row(canvas, x, level, stage(kind) * (layers + 1), f"up_blocks.{i}")
    row(canvas, x, 0, [GREEN], f"{CONFIG.out_channels} out", above=True)
    canvas.text((40 + 16 * STEP, middle(lowest) + 48), shape(lowest), INK, 14)


def stage(kind):
    return [BLUE, ORANGE] if kind.startswith("CrossAttn") else [BLUE]


def shape(level):
    size = CONFIG.sample_size >> level
    return f"{size} x {size} x {CONFIG.block_out_channels[level]}"


def middle(level):
    return 92 + level * LEVEL


def row(canvas, x, level, colours, name, above=False):
    """Blocks from x on; returns where the next one begins."""
    y, half = middle(level), TALL[level] / 2
    for i, colour in enumerate(colours):
        left = x + i * STEP
        canvas.box(left - 9, y - half, left + 9, y + half, blend(colour, PAPER, 0.8), colour, 4)
    centre = x + STEP * (len(colours) - 1) / 2
    canvas.text((centre, y - half - 10 if above else y + half + 11), name, SOFT, 11)
    return x + len(colours) * STEP


def arrow(canvas, x, start, end):
    """From the last block of one level to the first of the next, half or twice the size."""
    down = 1 if end > start else -1
    canvas.arrow((x - STEP, middle(start) + down * (TALL[start] / 2 + (20 if down > 0 else 4))),
                 (x - 3, middle(end) - down * (TALL[end] / 2 + (4 if down > 0 else 20))), GREEN, 1.8, 8)


def autoencoder(canvas):
    """An image, its latents, and what the decoder makes of them, also with noise added."""
    vae = load_pipeline("scenes").vae
    [image] = images_of([SCENE])
    (mean, _), _ = vae.encode(to_float(image[None]))
    scale = vae.config.scaling_factor
    noise = random_stream(0).standard_normal(mean.shape, np.float32)
    canvas.text((24, 502), "the shipped autoencoder: an image, its latents, and back, also with noise in the latents",
                INK, 14, "lm")
    canvas.place(image, 24, 518, 110, 110)
    canvas.text((79, 639), "64 x 64 x 3", SOFT, 12)
    canvas.arrow((146, 573), (186, 573), GREEN, 1.8, 8)
    canvas.text((166, 559), "encode", GREEN, 12)
    for i in range(mean.shape[-1]):
        gray = np.uint8(255 * np.clip(0.5 + mean[0, ..., i, None].repeat(3, -1) * scale / 6, 0, 1))
        canvas.place(gray, 198 + 37.5 * (i % 4), 518 + 37.5 * (i // 4), 35, 35, smooth=False)
    canvas.text((272, 639), "16 x 16 x 12", SOFT, 12)
    canvas.arrow((358, 573), (398, 573), GREEN, 1.8, 8)
    canvas.text((378, 559), "decode", GREEN, 12)
    for i, amount in enumerate(NOISE):
        y, _ = vae.decode(mean + amount / scale * noise)
        left = 410 + 140 * i
        canvas.place(np.uint8(np.round(127.5 * (y[0].clip(-1, 1) + 1))), left, 518, 110, 110)
        canvas.text((left + 55, 639), f"noise {amount:g}" if amount else "as they are", SOFT, 12)

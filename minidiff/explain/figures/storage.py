"""A file that is written and a kill in the middle; a name from code to file; a low-rank update of a weight."""

from __future__ import annotations

import json

import numpy as np

from ...backend import random_stream
from ...storage.pipeline_folder import find_model
from ...storage.weight_files import find_weights
from ..canvas import BLUE, GREEN, INK, ORANGE, PAPER, RED, SOFT, Canvas, blend

PHASES = ("a folder of its own", "write", "flush to disk", "rename", "flush the folder")
OUTPUTS, INPUTS, RANK = 40, 64, 4
NAME = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"


def figure():
    canvas = Canvas(980, 502)
    writing(canvas, 24)
    name(canvas, 224)
    low_rank(canvas, 364)
    return canvas.finished()


def writing(canvas, top):
    """The phases of new_file over time, and what a reader finds at each moment."""
    canvas.text((24, top), "new_file: a process may be killed at any moment", INK, 15, "lm")
    left, step, high = 170, 158, 44
    rename = left + step * (PHASES.index("rename") + 0.5)
    for i, phase in enumerate(PHASES):
        x = left + step * i
        canvas.box(x, top + 24, x + step - 8, top + 24 + high, blend(BLUE, PAPER, 0.88), BLUE, 6)
        canvas.text((x + step / 2 - 4, top + 24 + high / 2), phase, INK, 13)
    end = left + step * len(PHASES) - 8
    found = ((left, rename, ORANGE, "the old content, whole"), (rename, end, GREEN, "the new, whole"))
    leftovers = ((left, rename, SOFT, ".minidiff-k3j9x0ab/new/NAME is left; the next writer clears it"),
                 (rename, end, GREEN, "nothing is missing"))
    for row, (label, parts) in enumerate((("a reader finds", found), ("killed here:", leftovers))):
        y = top + 84 + 40 * row
        canvas.text((24, y + 13), label, INK, 13, "lm")
        for start, stop, colour, text in parts:
            canvas.box(start + 1, y, stop - 1, y + 26, blend(colour, PAPER, 0.82), radius=4)
            canvas.text(((start + stop) / 2, y + 13), text, colour, 12)
    canvas.dashed((rename, top + 20), (rename, top + 156), RED, 1.6)
    canvas.text((rename, top + 166), "one system call: there is no moment between old and new", RED, 12)


def name(canvas, top):
    """The path of attributes to a parameter, and its entry in the header of the shipped model's file."""
    canvas.text((24, top), "the path to a parameter is its name in the file", INK, 15, "lm")
    with open(find_weights(find_model("scenes") / "unet"), "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[NAME]
    canvas.text((24, top + 26), f"unet.{NAME.replace('.0.', '[0].')}", BLUE, 13, "lm")
    y = top + 46
    described = json.dumps({NAME: {key: entry[key] for key in ("shape", "data_offsets")}})[1:-1]
    parts = ((24, 124, SOFT, f"8 bytes: {length:,}"), (128, 806, BLUE, f"{{..., {described}, ..."),
             (810, 956, GREEN, "bytes of all tensors"))
    for left, right, colour, text in parts:
        canvas.box(left, y, right, y + 32, blend(colour, PAPER, 0.88), colour, 4)
        canvas.text(((left + right) / 2, y + 16), text, INK, 11.5 if colour == BLUE else 13)
    canvas.text((464, y + 46), "header, JSON", SOFT, 12)


def low_rank(canvas, top):
    """W, up, down and their sum as pixels."""
    canvas.text((24, top), "LoRA: W + scale (alpha / rank) up down", INK, 15, "lm")
    rng = random_stream(4)
    weight = rng.standard_normal((OUTPUTS, INPUTS)) / 3
    along = np.linspace(0, 1, INPUTS)
    down = np.stack([np.sin(np.pi * (k + 1) * along) for k in range(RANK)]) * 0.9
    up = rng.standard_normal((OUTPUTS, RANK)).cumsum(axis=0) / 8
    y, cell = top + 18, 2.4
    shown = ((up, 24), (down, 84), (up @ down, 288), (weight, 530), (weight + up @ down, 784))
    for values, left in shown:
        height, width = (cell * side for side in values.shape)
        canvas.place(signed(values), left, y, width, height, smooth=False)
        canvas.box(left, y, left + width, y + height, outline=SOFT, width=1)
    for x, sign in ((60, "x"), (264, "="), (734, "+ update =")):
        canvas.text((x, y + 48), sign, INK, 15)
    for x, text in ((42, "up (O, r)"), (161, "down (r, I)"), (365, f"update, from {up.size + down.size} elements"),
                    (607, f"W (O, I), {weight.size:,} elements"), (861, "W after merging")):
        canvas.text((x, y + 108), text, SOFT, 12)


def signed(values):
    """Orange below 0, white, blue above: (H, W) -> (H, W, 3)."""
    strength = np.abs(values / np.abs(values).max())[..., None]
    return np.uint8(np.round(255 + strength * (np.where(values[..., None] > 0, BLUE, ORANGE) - 255.0)))

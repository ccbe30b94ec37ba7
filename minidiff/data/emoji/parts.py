"""The parts of an image made of emoji: what stands out from the background, and where the things of a scene should be.

Images are uint8 (S, S, 3); `inside`, boolean (S, S), says which pixels stand out.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..judge import background_of
from .emoji import box_of
from .scenes import BACKGROUNDS, EmojiScene

SIDE = 24             # pixels at which parts are compared
OBJECT_DISTANCE = 40  # L1 distance from the background's colour

Cell = tuple[slice, slice]  # rows and columns


def background_and_inside(image: np.ndarray) -> tuple[str, np.ndarray]:
    """The name of the background, and which pixels stand out from it."""
    background = background_of(image, BACKGROUNDS)
    return background, np.abs(image.astype(int) - BACKGROUNDS[background]).sum(axis=2) > OBJECT_DISTANCE


def extent_in(inside: np.ndarray, cell: Cell) -> tuple[tuple[float, float], float]:
    """The centre (x, y) and the longer side of what stands out in a part, in pixels of a 64 x 64 image.

    The centre is infinite where nothing stands out.
    """
    here = np.zeros_like(inside)
    here[cell] = inside[cell]
    if not here.any():
        return (np.inf, np.inf), 0.0
    left, top, right, bottom = (edge * 64 / len(inside) for edge in box_of(here))
    return ((left + right) / 2, (top + bottom) / 2), max(right - left, bottom - top)


def cells(scene: EmojiScene, inside: np.ndarray) -> list[Cell]:
    """The parts of an image that a scene's things should be in, one after the other."""
    height, width = inside.shape
    every = slice(None)
    if scene.relation in ("left of", "right of"):
        x = _emptiest(inside.sum(axis=0))
        found = [(every, slice(0, x)), (every, slice(x, width))]
        return found if scene.relation == "left of" else found[::-1]
    if scene.relation in ("above", "below"):
        y = _emptiest(inside.sum(axis=1))
        found = [(slice(0, y), every), (slice(y, height), every)]
        return found if scene.relation == "above" else found[::-1]
    top, bottom = slice(0, height // 2), slice(height // 2, height)
    left, right = slice(0, width // 2), slice(width // 2, width)
    return {1: [(every, every)], 2: [(every, left), (every, right)],
            3: [(top, every), (bottom, left), (bottom, right)],
            4: [(top, left), (top, right), (bottom, left), (bottom, right)]}[len(scene.stickers)]


def _emptiest(counts):
    """The line near the middle with the fewest pixels that stand out; of equal ones the one nearest to the middle."""
    third = len(counts) // 3
    return min(range(third, len(counts) - third), key=lambda line: (counts[line], abs(line - len(counts) / 2)))


def cropped(image: np.ndarray, inside: np.ndarray, background: str) -> np.ndarray:
    """What stands out, on a square of the background's colour: uint8 (24, 24, 3)."""
    colour = np.uint8(BACKGROUNDS[background])
    if not inside.any():
        return np.broadcast_to(colour, (SIDE, SIDE, 3))
    left, top, right, bottom = box_of(inside)
    width, height = right - left, bottom - top
    side = max(width, height)
    x, y = (side - width) // 2, (side - height) // 2
    square = np.empty((side, side, 3), np.uint8)
    square[...] = colour
    square[y:y + height, x:x + width] = image[top:bottom, left:right]
    return np.asarray(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BILINEAR))

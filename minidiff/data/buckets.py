"""Aspect buckets: a few shapes of about the same area, so that images that are not square lose little at their edges.

There are 5 at a size of 64 pixels, 27 at 512. An image goes to the shape whose aspect ratio is nearest to its own, and
a batch comes from one bucket. Shapes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..backend import random_stream
from ..errors import UserError
from .purposes import Purpose

LARGEST_RATIO = 2  # of the longer side to the shorter one

Shape = tuple[int, int]


def bucket_shapes(size: int, multiple: int) -> list[Shape]:
    """Shapes from 1:2 to 2:1 whose area is about size², with sides that are multiples of `multiple`, by their ratio.

    Raises UserError if the square is the only one, or if its side is not a multiple.
    """
    longest = math.ceil(size * math.sqrt(LARGEST_RATIO) / multiple) * multiple
    sides = [(width, round(size**2 / width / multiple) * multiple) for width in range(size, longest + 1, multiple)]
    wide = [(width, height) for width, height in sides if height <= width <= LARGEST_RATIO * height]
    if size % multiple or len(wide) < 2:
        raise UserError(f"buckets need a size of at least {3 * multiple} pixels that is a multiple of {multiple}, not "
                        f"{size}: choose another size, or leave out --buckets")
    return sorted({*wide, *((height, width) for width, height in wide)}, key=lambda shape: shape[0] / shape[1])


def nearest(shapes: Sequence[Shape], width: int, height: int) -> Shape:
    """The shape for which |log(its aspect ratio / that of width x height)| is least."""
    return min(shapes, key=lambda shape: abs(math.log(shape[0] * height / (shape[1] * width))))


def bucket_of(seed: int, index: int, counts: Sequence[int]) -> int:
    """The number of the bucket that batch `index` comes from: drawn with probabilities in proportion to `counts`."""
    return int(random_stream(seed, Purpose.BUCKET, index).choice(len(counts), p=np.divide(counts, sum(counts))))

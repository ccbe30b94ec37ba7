"""Scores of any images: how exact, how crisp, and whether captions find them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

EDGES = 16   # steepest places of an image, over which crispness averages
AMONG = 64   # images to choose from in retrieval


def fraction(outcomes: Iterable[bool]) -> float:
    """The fraction of outcomes that are true, rounded to 4 digits."""
    return round(float(np.mean([*outcomes])), 4)


def psnr(true: np.ndarray, rebuilt: np.ndarray) -> float:
    """10 log10(255² / MSE) in dB, over all uint8 images together.

    The MSE is taken to be at least 1/12, that of rounding to whole levels, so the largest value is 58.9 dB.
    """
    error = np.mean((true.astype(np.float32) - rebuilt) ** 2, dtype=np.float64)
    return round(10 * math.log10(255**2 / max(float(error), 1 / 12)), 2)


def crispness(shown: np.ndarray) -> float:
    """The fraction of an edge's contrast between two neighbouring pixels: 1 for a sharp step, 1/4 for a smooth ramp.

    For images, uint8 (N, S, S, 3): the mean of the largest colour distances between horizontal neighbours, divided by
    the same for pixels 4 apart.
    """
    near, far = (np.linalg.norm(shown[:, :, apart:].astype(np.float32) - shown[:, :, :-apart], axis=-1)
                 .reshape(len(shown), -1) for apart in (1, 4))
    near, far = (np.partition(distance, -EDGES, axis=1)[:, -EDGES:].mean(axis=1) for distance in (near, far))
    return round(float((near / np.maximum(far, 1)).mean()), 3)


def recall_at_1(text: np.ndarray, image: np.ndarray, captions: Sequence[str], among: int = AMONG) -> float:
    """R@1: how often the image whose embedding has the largest cosine with a caption's has that caption.

    text (N, F), image (N, F), of unit length; caption n belongs to image n -> a fraction

    Each caption chooses among the `among` images of its group; the last few that fill no group are left out. With
    fewer than that in all, there is one group. An image with an equal caption counts as right.
    """
    among = min(among, len(captions))
    right = []
    for first in range(0, len(captions) - among + 1, among):
        own = captions[first:first + among]
        chosen = (text[first:first + among] @ image[first:first + among].T).argmax(axis=1)
        right += [own[index] == caption for index, caption in zip(chosen, own, strict=True)]
    return fraction(right)

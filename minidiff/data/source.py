"""A source of captioned images: all that training, evaluation and reports know of their data.

Whatever a source draws at random depends on its seed and an index alone, so a resumed run sees the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Batch:
    """Images of one shape, float32 (N, H, W, 3) in [-1, 1], and their captions."""

    images: np.ndarray
    captions: list[str]


class Source(Protocol):
    """Captioned images for one seed: squares, except that training batches can have other shapes (`buckets_of`)."""

    kind: str           # "scenes", "emoji" or "images": how a model is scored
    name: str           # "scenes", or the path of the user's images
    size: int           # height and width in pixels
    latent_count: int   # how many images are encoded for the diffusion stage

    def captions(self) -> Sequence[str]:
        """Captions of training images, from which the tokenizer learns its vocabulary."""

    def training_batch(self, index: int, batch_size: int) -> Batch:
        """Batch `index` of training images."""

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        """Batch `index` for the contrastive stage: with hard negatives, if the source has some."""

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        """Batch `index` of the `latent_count` images that are encoded for the diffusion stage; the last is shorter."""

    def held_out(self, count: int) -> Batch:
        """Up to `count` images that are never trained on, the same ones at each call."""


def buckets_of(source: Source) -> list[Source]:
    """The sources, each of one shape, that the training batches of this one come from: itself, if it has no others."""
    return getattr(source, "buckets", [source])

"""A small source of captioned images in memory: stripes, whose colour and direction the caption states."""

from __future__ import annotations

import numpy as np

from minidiff.data.source import Batch

COLOURS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1), "white": (1, 1, 1)}


class MemorySource:
    """`count` training images and `held_out_count` others, each of `size` x `size` pixels."""

    kind, name = "images", "stripes"

    def __init__(self, size: int = 16, count: int = 40, held_out_count: int = 12, seed: int = 0):
        self.size, self.latent_count, self.held_out_count = size, count, held_out_count
        rng = np.random.default_rng(seed)
        drawn = [stripes(rng, size) for _ in range(count + held_out_count)]
        self.images, self.texts = np.stack([image for image, _ in drawn]), [caption for _, caption in drawn]

    def captions(self):
        return self.texts[:self.latent_count]

    def training_batch(self, index, batch_size):
        return self.batch((index * batch_size + np.arange(batch_size)) % self.latent_count)

    contrastive_batch = training_batch

    def latent_batch(self, index, batch_size):
        return self.batch(range(index * batch_size, min((index + 1) * batch_size, self.latent_count)))

    def held_out(self, count):
        return self.batch(range(self.latent_count, self.latent_count + min(count, self.held_out_count)))

    def batch(self, rows):
        rows = [*rows]
        return Batch(self.images[rows], [self.texts[row] for row in rows])


def stripes(rng, size):
    """An image, float32 in [-1, 1], and its caption."""
    colour, upright, width = rng.choice([*COLOURS]), rng.random() < 0.5, int(rng.integers(1, 4))
    bright = (np.arange(size) + int(rng.integers(4))) // width % 2 * rng.uniform(0.5, 1)
    image = bright[:, None, None] * (np.float32(COLOURS[colour]) + 1) - 1
    image = np.broadcast_to(image, (size, size, 3))
    return ((image.swapaxes(0, 1) if upright else image).astype(np.float32),
            f"{colour} stripes from {'top to bottom' if upright else 'left to right'}")

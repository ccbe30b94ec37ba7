"""A person's own captioned images as a source of training data, read from their cache.

Some are held out: those whose names have the smallest hashes, so that new files don't move old ones to the other side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..errors import UserError
from .image_cache import ImageCache
from .reading.captions import folded
from .scenes import to_float
from .source import Batch, batch_stream

IMAGES, CONTRAST, LATENTS = 3, 4, 5  # keys of random streams, one for each stage
CROPS = ("center", "random")
LEAST_TO_HOLD_OUT, MOST_HELD_OUT = 8, 512
COPIES = 4  # of an image among the latents, if each is cropped or captioned anew


def cached_size(size: int, crop: str) -> int:
    """The size at which images are kept: random crops need a margin, as 9/8 of `size` gives it."""
    return size * 9 // 8 if crop == "random" else size


class FolderSource:
    """Images of `size` x `size` pixels; the autoencoder, contrastive and diffusion stages draw from the same ones.

    With `crop` "random", an image is cut at a place of its own each time; with `flip`, half of the images are mirrored;
    with `shuffle_tags`, the parts of a caption between its commas are put in another order each time.
    """

    kind = "images"

    def __init__(self, cache: ImageCache, size: int, seed: int = 0, crop: str = "center", flip: bool = False,
                 shuffle_tags: bool = False, held_out_fraction: float = 0.05):
        self.cache, self.size, self.seed, self.crop = cache, size, seed, crop
        self.flip, self.shuffle_tags, self.held_out_fraction = flip, shuffle_tags, held_out_fraction

    @property
    def name(self) -> str:
        return str(self.cache.source)

    @cached_property
    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows to train on, and those held out."""
        return split([entry.name for entry in self.cache.entries], self.held_out_fraction)

    @property
    def copies(self) -> int:
        """How often each image is encoded for the diffusion stage, which can't crop, flip or reorder it later."""
        return (2 if self.flip else 1) * (COPIES if self.crop == "random" or self.shuffle_tags else 1)

    @property
    def latent_count(self) -> int:
        return self.copies * len(self.split[0])

    @cached_property
    def rows_of(self) -> dict[str, np.ndarray]:
        """The rows to train on by their caption, regardless of case, white space and, with shuffle_tags, order."""
        rows: dict[str, list[int]] = {}
        for row in self.split[0]:
            caption = folded(self.cache.entries[row].caption)
            rows.setdefault(", ".join(sorted(tags(caption))) if self.shuffle_tags else caption, []).append(row)
        return {caption: np.array(same) for caption, same in rows.items()}

    def captions(self) -> Sequence[str]:
        return list(dict.fromkeys(self.cache.entries[row].caption for row in self.split[0]))

    def training_batch(self, index: int, batch_size: int) -> Batch:
        rng = batch_stream(self.seed, IMAGES, index)
        return self._draw(rng, rng.choice(self.split[0], batch_size), self._mirrored(rng, batch_size))

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        """No caption occurs twice: it would be the negative of its own image. So there may be fewer than batch_size."""
        rng, groups = batch_stream(self.seed, CONTRAST, index), list(self.rows_of.values())
        check_captions(len(groups), self.name)
        chosen = rng.choice(len(groups), min(batch_size, len(groups)), replace=False)
        rows = np.array([rng.choice(groups[i]) for i in chosen])
        return self._draw(rng, rows, self._mirrored(rng, len(rows)))

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        places = np.arange(index * batch_size, min((index + 1) * batch_size, self.latent_count))
        copy, place = np.divmod(places, len(self.split[0]))
        return self._draw(batch_stream(self.seed, LATENTS, index), self.split[0][place], self.flip & (copy % 2 == 1))

    def held_out(self, count: int) -> Batch:
        rows = self.split[1][:count]
        margin = self.cache.images.shape[1] - self.size
        corners = np.full((len(rows), 2), margin // 2)
        return Batch(self._cut(rows, corners, np.zeros(len(rows), bool)),
                     [self.cache.entries[row].caption for row in rows])

    def _mirrored(self, rng, count):
        return self.flip & (rng.random(count) < 0.5)

    def _draw(self, rng, rows, mirrored):
        margin = self.cache.images.shape[1] - self.size  # 0 unless crops are random
        corners = rng.integers(margin + 1, size=(len(rows), 2))
        captions = [self.cache.entries[row].caption for row in rows]
        if self.shuffle_tags:
            captions = [", ".join(rng.permutation(tags(caption))) for caption in captions]
        return Batch(self._cut(rows, corners, mirrored), captions)

    def _cut(self, rows, corners, mirrored):
        """The images of these rows from their corners on, and mirrored where that is said."""
        pixels = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for image, row, (top, left), mirror in zip(pixels, rows, corners, mirrored, strict=True):
            part = self.cache.images[row, top:top + self.size, left:left + self.size]
            image[...] = part[:, ::-1] if mirror else part
        return to_float(pixels)


def split(names: Sequence[str], fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on, in their order, and the rows held out, by the hashes of their names.

    Of 8 or more images, at least 1 and at most 512 are held out; of fewer, or with fraction 0, none.
    """
    hashes = [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names]
    order = np.array(sorted(range(len(names)), key=hashes.__getitem__), dtype=int)
    below = sum(int.from_bytes(one, "big") < fraction * 2**64 for one in hashes)
    count = min(max(below, 1), MOST_HELD_OUT) if fraction > 0 and len(names) >= LEAST_TO_HOLD_OUT else 0
    return np.sort(order[count:]), order[:count]


def check_captions(distinct: int, name: str) -> None:
    """Raises UserError if there is nothing to contrast."""
    if distinct < 2:
        raise UserError("contrastive training needs at least two different captions: caption the images of "
                        f"{name} by what they show, train with --class-labels, or start from a model with --from")


def tags(caption: str) -> list[str]:
    return [tag.strip() for tag in caption.split(",") if tag.strip()]

"""A person's own captioned images as a source of training data, read from their cache.

Some are held out: those whose contents have the smallest digests. So equal images are never on both sides, and neither
new nor renamed files move others to the other side, unless a limit of `split` decides how many are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..backend import random_stream
from ..errors import UserError
from .buckets import Shape, bucket_of
from .image_cache import ImageCache
from .purposes import Purpose
from .reading.captions import folded
from .scenes import to_float
from .source import Batch

CROPS = ("center", "random")
LEAST_TO_HOLD_OUT, MOST_HELD_OUT = 8, 512
COPIES = 4  # of an image among the latents, if each is cropped or captioned anew


def cached_size(size: int, crop: str) -> int:
    """The size at which images are kept: random crops need a margin, as 9/8 of `size` gives it."""
    return size * 9 // 8 if crop == "random" else size


def cached_shape(shape: Shape, crop: str) -> Shape:
    width, height = shape
    return cached_size(width, crop), cached_size(height, crop)


@dataclass(frozen=True)
class FolderSource:
    """Images of `size` x `size` pixels; the autoencoder, contrastive and diffusion stages draw from the same ones.

    With `crop` "random", an image is cut at a place of its own each time; with `flip`, half of the images are mirrored;
    with `shuffle_tags`, the parts of a caption between its commas are put in another order each time.

    With `shapes`, a training batch comes from one of `buckets`, sources of the images of one `shape` each. All else is
    squares also then: CLIP's image encoder takes no other shape, and images that are compared need a common one.
    """

    kind: ClassVar[str] = "images"
    cache: ImageCache
    size: int
    seed: int = 0
    crop: str = "center"
    flip: bool = False
    shuffle_tags: bool = False
    held_out_fraction: float = 0.05
    shapes: Sequence[Shape] = ()
    shape: Shape | None = None  # of a bucket

    @property
    def name(self) -> str:
        return str(self.cache.source)

    @cached_property
    def buckets(self) -> list[FolderSource]:
        """A source for each shape that some image is trained at; this one alone if there are no `shapes`."""
        found = [replace(self, shape=shape, shapes=()) for shape in self.shapes]
        return [bucket for bucket in found if len(bucket.split[0])] or [self]

    @cached_property
    def kept(self) -> tuple[np.ndarray, np.ndarray]:
        """The images of this source in the cache, uint8 (K, H, W, 3), and, in ascending order, their rows there."""
        if self.shape is None:
            return self.cache.images, np.arange(len(self.cache.entries))
        return self.cache.bucket(cached_shape(self.shape, self.crop))

    @cached_property
    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows to train on, and those held out."""
        parts = split([entry.digest for entry in self.cache.entries], self.held_out_fraction)
        training, held_out = (rows[np.isin(rows, self.kept[1])] for rows in parts)
        return training, held_out

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
        rng = random_stream(self.seed, Purpose.IMAGES, index)
        bucket = self.buckets[bucket_of(self.seed, index, [len(bucket.split[0]) for bucket in self.buckets])]
        return bucket._draw(rng, rng.choice(bucket.split[0], batch_size), self._mirrored(rng, batch_size))

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        """No caption occurs twice: it would be the negative of its own image. So there may be fewer than batch_size."""
        rng, groups = random_stream(self.seed, Purpose.CONTRASTED_IMAGES, index), list(self.rows_of.values())
        check_captions(len(groups), self.name)
        chosen = rng.choice(len(groups), min(batch_size, len(groups)), replace=False)
        rows = np.array([rng.choice(groups[i]) for i in chosen])
        return self._draw(rng, rows, self._mirrored(rng, len(rows)))

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        places = np.arange(index * batch_size, min((index + 1) * batch_size, self.latent_count))
        copy, place = np.divmod(places, len(self.split[0]))
        rng = random_stream(self.seed, Purpose.ENCODED_IMAGES, index)
        return self._draw(rng, self.split[0][place], self.flip & (copy % 2 == 1))

    def held_out(self, count: int) -> Batch:
        rows = self.split[1][:count]
        corners = np.tile(self._margins // 2, (len(rows), 1))
        return Batch(self._cut(rows, corners, np.zeros(len(rows), bool)),
                     [self.cache.entries[row].caption for row in rows])

    @property
    def _shape(self):
        """Width and height of what is drawn."""
        return self.shape or (self.size, self.size)

    @property
    def _margins(self):
        """How much higher and wider the cached images are: 0 unless crops are random."""
        width, height = self._shape
        return np.array(self.kept[0].shape[1:3]) - (height, width)

    def _mirrored(self, rng, count):
        return self.flip & (rng.random(count) < 0.5)

    def _draw(self, rng, rows, mirrored):
        corners = rng.integers(self._margins + 1, size=(len(rows), 2))
        captions = [self.cache.entries[row].caption for row in rows]
        if self.shuffle_tags:
            captions = [", ".join(rng.permutation(tags(caption))) for caption in captions]
        return Batch(self._cut(rows, corners, mirrored), captions)

    def _cut(self, rows, corners, mirrored):
        """The images of these rows from their corners on, and mirrored where that is said."""
        (width, height), (images, kept_rows) = self._shape, self.kept
        pixels = np.empty((len(rows), height, width, 3), np.uint8)
        places = np.searchsorted(kept_rows, rows)
        for image, place, (top, left), mirror in zip(pixels, places, corners, mirrored, strict=True):
            part = images[place, top:top + height, left:left + width]
            image[...] = part[:, ::-1] if mirror else part
        return to_float(pixels)


def split(digests: Sequence[str], fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on, in their order, and the rows held out, by the digests of their contents.

    Of 8 or more different images, at least 1 and at most half of them, or 512, are held out; of fewer, or with fraction
    0, none; with fraction 1, all. Copies of an image that is held out are on neither side.
    """
    row_of = {digest: row for row, digest in enumerate(digests)}
    below = sum(int(digest, 16) < fraction * 16**len(digest) for digest in row_of)
    some = fraction > 0 and len(row_of) >= LEAST_TO_HOLD_OUT
    most = min(max(below, 1), len(row_of) // 2, MOST_HELD_OUT) if some else 0
    count = len(row_of) if fraction == 1 else most
    held_out = {digest: row_of[digest] for digest in sorted(row_of)[:count]}
    training = [row for row, digest in enumerate(digests) if digest not in held_out]
    return np.array(training, dtype=int), np.array([*held_out.values()], dtype=int)


def check_captions(distinct: int, name: str) -> None:
    """Raises UserError if there is nothing to contrast."""
    if distinct < 2:
        raise UserError("contrastive training needs at least two different captions: caption the images of "
                        f"{name} by what they show, train with --class-labels, or start from a model with --from")


def tags(caption: str) -> list[str]:
    return [tag.strip() for tag in caption.split(",") if tag.strip()]

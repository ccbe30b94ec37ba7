"""A person's images, decoded and scaled once: arrays on disk, which training reads whatever becomes of the files.

    images.npy        uint8 (M, S, S, 3 or, with alpha, 4), memory-mapped: the square in the middle of each image
    images-80x48.npy  with buckets: images at the width and height that are nearest to their own
    captions.json     every file that was read: its name, caption, size and time, a digest of its content, its fault

captions.json is written last, so a cache that has one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps

from ..errors import UserError
from ..nn.threads import cores
from ..reading import read_json, reason
from ..writing import new_file
from .array_file import new_rows
from .buckets import Shape, nearest
from .reading.decode import decode
from .reading.find import find
from .reading.found import Found, Item, Problem, shortened, stamp_of

AHEAD = 64  # images that threads may decode before they are needed: bounds the memory
LARGEST_LIST = 4_000_000_000  # bytes of captions.json, for some ten million images

T = TypeVar("T")


class Entry(NamedTuple):
    """A file as it was read. `fault` says why its image was left out; without one it is the next row of images.npy."""

    name: str
    caption: str
    bytes: int      # of the file, or of the file that contains it
    changed: int    # when, in ns
    digest: str
    fault: str = ""
    shape: Sequence[int] | None = None  # width and height of its bucket


class ImageCache:
    """The images of `source` in `folder`: each at size x size and, if there are `shapes`, at the nearest of them."""

    def __init__(self, folder: Path, source: Path, size: int, caption_column: str = "text",
                 caption_template: str = "a {}", shapes: Sequence[Shape] = (), alpha: bool = False):
        self.folder, self.source, self.size, self.shapes, self.alpha = folder, source, size, shapes, alpha
        self.caption_column, self.caption_template = caption_column, caption_template

    def find(self) -> Found:
        return find(self.source, self.caption_column, self.caption_template)

    @property
    def whole(self) -> bool:
        return (self.folder / "captions.json").exists()

    @cached_property
    def images(self) -> np.ndarray:
        """uint8 (M, S, S, 3 or, with alpha, 4), read from disk row by row when it is used."""
        return np.load(self._file(None), mmap_mode="r")

    def bucket(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """The images of this shape, uint8 (K, H, W, 3), and, in ascending order, their rows in `entries`."""
        rows = [row for row, entry in enumerate(self.entries) if entry.shape and tuple(entry.shape) == shape]
        return np.load(self._file(shape), mmap_mode="r"), np.array(rows, int)

    def _file(self, shape):
        return self.folder / ("images.npy" if shape is None else "images-{}x{}.npy".format(*shape))

    @cached_property
    def _content(self):
        if not self.whole:
            raise UserError(f"{self.folder} holds no images yet: train the run with --resume, which reads them")
        return read_json(self.folder / "captions.json", LARGEST_LIST)

    @cached_property
    def _read(self):
        return [Entry(*values) for values in self._content["read"]]

    @cached_property
    def entries(self) -> list[Entry]:
        """One for each row of `images`."""
        return [entry for entry in self._read if not entry.fault]

    @property
    def left_out(self) -> list[Problem]:
        found = [Problem(*values) for values in self._content["not_read"]]
        return found + [Problem(entry.name, entry.fault) for entry in self._read if entry.fault]

    def fill(self, found: Found | None = None) -> Iterator[tuple[int, int]]:
        """Read all images. Yields how many of how many are done. Raises UserError if more than half can't be used."""
        found, read = found or self.find(), []
        shapes = {None: (self.size, self.size)} | {shape: shape for shape in self.shapes}
        with ExitStack() as files:
            arrays = {name: files.enter_context(new_rows(self._file(name), (height, width, 4 if self.alpha else 3)))
                      for name, (width, height) in shapes.items()}
            for entry, pixels in read_images(found.items, self.size, self.shapes, self.alpha):
                read.append(entry)
                for shape, image in pixels.items():
                    arrays[shape].append(image)
                yield len(read), len(found.items)
            check_usable(found.problems + [Problem(one.name, one.fault) for one in read if one.fault],
                         arrays[None].count, ", then train the run with --resume")
        with new_file(self.folder / "captions.json") as path:
            path.write_text(json.dumps({"read": read, "not_read": found.problems}), encoding="utf-8")

    def changed_files(self) -> list[str]:
        """The names of the files that are no longer as they were read; none, if there are no files to compare with."""
        if not self.whole or self._is_untouched_file():
            return []
        try:
            return self.changes(self.find())
        except UserError:
            return []

    def _is_untouched_file(self):
        """Whether all images are in one file, which has the size and time that it had: it needs no search."""
        return self.source.is_file() and {(one.bytes, one.changed) for one in self._read} == {
            stamp_of(self.source.stat())}

    def changes(self, found: Found) -> list[str]:
        """The names of the files that were changed, added or removed since they were read.

        A file with the size and time that it had is taken to be the same; others are compared by their content.
        """
        before, now = ({one.name: one for one in found} for found in (self._read, found.items))
        return sorted(name for name in before.keys() | now.keys()
                      if name not in before or name not in now or self._differs(before[name], now[name]))

    def _differs(self, entry, item):
        touched = (entry.bytes, entry.changed) != item.stamp
        return entry.caption != item.caption or (touched and entry.digest != _digest_now(item))


def read_images(items: Iterable[Item], size: int, shapes: Sequence[Shape] = (),
                alpha: bool = False) -> Iterator[tuple[Entry, dict[Shape | None, np.ndarray]]]:
    """Each item with its pixels, uint8 (H, W, 3 or 4): at size x size under None, and at the nearest of `shapes`.

    One with a fault has none. Decoded by one thread per core.
    """
    return in_threads(lambda item: _read_image(item, size, shapes, alpha), items)


def in_threads(function: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
    """map(function, items), by one thread per core, only a few items ahead of what is asked for."""
    items = iter(items)
    with ThreadPoolExecutor(cores()) as pool:
        while part := list(islice(items, AHEAD)):
            yield from pool.map(function, part)


def _read_image(item, size, shapes, alpha):
    digest, pixels, fault, shape = "", {}, "", None
    try:
        data = item.read()
        digest = digest_of(data)
        image = decode(data, 2 * size, alpha)
        pixels = {None: middle_square(image, size)}
        if shapes:
            shape = nearest(shapes, *image.size)
            pixels[shape] = fitted(image, shape)
    except (UserError, OSError) as error:
        fault = reason(error)
    return Entry(item.name, item.caption, *item.stamp, digest, fault, shape), pixels


def _digest_now(item):
    try:
        return digest_of(item.read())
    except (UserError, OSError):
        return ""


def middle_square(image: Image.Image, size: int) -> np.ndarray:
    """The middle of an image at size x size. Raises UserError if the image is less than half as large."""
    if 2 * min(image.size) < size:
        raise UserError(f"too small: {image.width} x {image.height} pixels, at least {(size + 1) // 2} needed")
    return fitted(image, (size, size))


def fitted(image: Image.Image, shape: Shape) -> np.ndarray:
    """The middle of an image at this width and height: it is scaled to cover them, what is beyond is cut off."""
    return np.asarray(ImageOps.fit(image, shape, Image.Resampling.LANCZOS))


def named(problems: list[Problem], rest: int) -> str:
    """'2 of 12 images cannot be used: a.png (not an image), b.png (no caption)'"""
    names = ", ".join(shortened([f"{one.name} ({one.reason})" for one in problems]))
    return f"{len(problems)} of {len(problems) + rest} images cannot be used: {names}"


def check_usable(problems: list[Problem], rest: int, then: str = "") -> None:
    """Raises UserError if more images cannot be used than can; `then` says what to do after mending them."""
    if len(problems) > rest:
        raise UserError(f"{named(problems, rest)}: mend or remove them{then}")


def digest_of(data: bytes | np.ndarray) -> str:
    content = data if isinstance(data, bytes) else f"{data.shape}".encode() + data.tobytes()
    return hashlib.blake2b(content, digest_size=12).hexdigest()

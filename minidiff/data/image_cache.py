"""A person's images, decoded and scaled once: one array on disk, which training reads whatever becomes of the files.

    images.npy     uint8 (M, S, S, 3), with alpha (M, S, S, 4), memory-mapped
    captions.json  every file that was read: its name, caption, size and time, a digest of its content, and its fault

captions.json is written last, so a cache that has one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps

from ..errors import UserError
from ..nn.threads import cores
from ..storage.files import new_file, read_json
from .reading.decode import decode
from .reading.find import find
from .reading.found import Found, Item, Problem

AHEAD = 64   # images that threads may decode before they are needed: bounds the memory
NAMED = 10   # names that a message lists

T = TypeVar("T")


class Entry(NamedTuple):
    """A file as it was read. `fault` says why its image was left out; without one it is the next row of the array."""

    name: str
    caption: str
    bytes: int      # of the file, or of the file that contains it
    changed: int    # when, in ns
    digest: str
    fault: str = ""


class ImageCache:
    """The images of `source` at size x size, in `folder`."""

    def __init__(self, folder: Path, source: Path, size: int, caption_column: str = "text",
                 caption_template: str = "a {}", alpha: bool = False):
        self.folder, self.source, self.size, self.alpha = folder, source, size, alpha
        self.caption_column, self.caption_template = caption_column, caption_template

    def find(self) -> Found:
        return find(self.source, self.caption_column, self.caption_template)

    @property
    def whole(self) -> bool:
        return (self.folder / "captions.json").exists()

    @cached_property
    def images(self) -> np.ndarray:
        """uint8 (M, S, S, 3), read from disk row by row when it is used."""
        return np.load(self.folder / "images.npy", mmap_mode="r")

    @cached_property
    def _content(self):
        if not self.whole:
            raise UserError(f"{self.folder} holds no images yet: train the run with --resume, which reads them")
        return read_json(self.folder / "captions.json")

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
        with new_file(self.folder / "images.npy") as path:
            with open(path, "wb") as file:
                self._write_header(file, len(found.items))
                for entry, pixels in read_images(found.items, self.source, self.size, self.alpha):
                    read.append(entry)
                    if not entry.fault:
                        file.write(pixels.tobytes())
                    yield len(read), len(found.items)
                rows = sum(not entry.fault for entry in read)
                file.seek(0)
                self._write_header(file, rows)
            check_usable(found.problems + [Problem(one.name, one.fault) for one in read if one.fault], rows)
        with new_file(self.folder / "captions.json") as path:
            path.write_text(json.dumps({"read": read, "not_read": found.problems}), encoding="utf-8")

    def _write_header(self, file, rows):
        """NumPy leaves room for more digits of the first dimension, so a later header has the same length."""
        shape = rows, self.size, self.size, 4 if self.alpha else 3
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})

    def check_unchanged(self) -> None:
        """Raises UserError if the files are no longer those that were read. If they are gone, the cache is enough."""
        if not self.whole:
            return
        try:
            found = self.find()
        except UserError:  # there are no files to compare with
            return
        changed = self.changes(found)
        if changed:
            more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
            raise UserError(f"{self.source} has changed since this run read it ({', '.join(changed[:NAMED])}{more}): "
                            "put it back as it was, or start another run with another --out")

    def changes(self, found: Found) -> list[str]:
        """The names of the files that were changed, added or removed since they were read.

        A file with the size and time that it had is taken to be the same; others are compared by their content.
        """
        before, now = ({one.name: one for one in found} for found in (self._read, found.items))
        return sorted(name for name in before.keys() | now.keys()
                      if name not in before or name not in now or self._differs(before[name], now[name]))

    def _differs(self, entry, item):
        touched = (entry.bytes, entry.changed) != stamp(self.source, item.name)
        return entry.caption != item.caption or (touched and entry.digest != _digest_now(item))


def read_images(items: Iterable[Item], source: Path, size: int,
                alpha: bool = False) -> Iterator[tuple[Entry, np.ndarray | None]]:
    """Each item with its pixels, uint8 (size, size, 3 or 4), or with its fault. Decoded by one thread per core."""
    return in_threads(lambda item: _read_image(item, source, size, alpha), items)


def in_threads(function: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
    """map(function, items), by one thread per core, only a few items ahead of what is asked for."""
    items = iter(items)
    with ThreadPoolExecutor(cores()) as pool:
        while part := list(islice(items, AHEAD)):
            yield from pool.map(function, part)


def _read_image(item, source, size, alpha):
    digest, pixels, fault = "", None, ""
    try:
        data = item.read()
        digest, pixels = digest_of(data), fitted(decode(data, 2 * size, alpha), size)
    except (UserError, OSError) as error:
        fault = reason_of(error)
    return Entry(item.name, item.caption, *stamp(source, item.name), digest, fault), pixels


def reason_of(error: Exception) -> str:
    """Why a file cannot be read, in a line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def _digest_now(item):
    try:
        return digest_of(item.read())
    except (UserError, OSError):
        return ""


def fitted(image: Image.Image, size: int) -> np.ndarray:
    """The middle of an image at size x size: its shorter side is scaled, what is beyond of the longer one is cut off.

    Raises UserError if the image is less than half as large.
    """
    if 2 * min(image.size) < size:
        raise UserError(f"too small: {image.width} x {image.height} pixels, at least {(size + 1) // 2} needed")
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))


def named(problems: list[Problem], rest: int) -> str:
    """'2 of 12 images cannot be used: a.png (not an image), b.png (no caption)'; the first ten by name"""
    names = ", ".join(f"{one.name} ({one.reason})" for one in problems[:NAMED])
    more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return f"{len(problems)} of {len(problems) + rest} images cannot be used: {names}{more}"


def check_usable(problems: list[Problem], rest: int) -> None:
    """Raises UserError if more images cannot be used than can."""
    if len(problems) > rest:
        raise UserError(f"{named(problems, rest)}: mend or remove them")


def digest_of(data: bytes | np.ndarray) -> str:
    content = data if isinstance(data, bytes) else f"{data.shape}".encode() + data.tobytes()
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def stamp(source: Path, name: str) -> tuple[int, int]:
    """Size and time of last change of the file of that name, or of the archive or table that contains it."""
    inside = (source if source.exists() else source.parent) / name  # a source can be a pattern of file names
    for file in (inside, *inside.parents):
        try:
            info = file.stat()
            return info.st_size, info.st_mtime_ns
        except (OSError, ValueError):
            continue
    return 0, 0

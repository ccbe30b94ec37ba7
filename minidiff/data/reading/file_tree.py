"""Files by name, wherever they lie: a search for captions is the same in a folder and in an archive.

Names are only ever looked up in a dictionary, so an absolute one or one with `..` leads nowhere.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...errors import UserError
from .found import Problem, stamp_of

LARGEST = 256 * 2**20  # bytes; far more than an image of 100 megapixels takes as a PNG or JPEG
IMAGES = {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
OTHER_IMAGES = {".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".heic", ".heif", ".jxl", ".nef", ".orf", ".psd",
                ".raf", ".rw2", ".svg", ".tga"}  # of formats that are not read
CAPTIONS = {".txt", ".caption"}
TABLES, TEXTS = {".jsonl", ".csv"}, CAPTIONS | {".json"}
LARGEST_OF = dict.fromkeys(IMAGES | TABLES, LARGEST) | dict.fromkeys(TEXTS, 1 << 20)


class FileTree:
    """`files`: a function that reads each file, by its name with "/"; `problems`: the files that cannot be used.

    `stamps` has those of files that are not in an archive. In a tree of `samples`, as WebDataset makes them, x.json
    describes x.png.
    """

    def __init__(self, samples: bool = False):
        self.samples = samples
        self.files: dict[str, Callable[[], bytes]] = {}
        self.stamps: dict[str, tuple[int, int]] = {}
        self.problems: list[Problem] = []

    def add(self, name: str, size: int, read: Callable[[], bytes]) -> None:
        name = posixpath.normpath(name)
        if is_hidden(name):
            return
        if size > (largest := LARGEST_OF.get(suffix(name), size)):
            self.refuse(name, f"larger than {largest >> 20} MB")
        elif name != printable(name):
            self.refuse(name, "its name is not valid UTF-8: rename it")
        elif name in self.files:
            self.refuse(name, "more than one file has this name")
        else:
            self.files[name] = read

    def refuse(self, name: str, reason: str) -> None:
        if not is_hidden(name):
            self.problems.append(Problem(printable(name), reason))

    def images(self) -> list[str]:
        return sorted(name for name in self.files if suffix(name) in IMAGES)


def in_folder(root: Path) -> FileTree:
    """The files of a folder and its subfolders. Links are followed to files, but not to folders."""
    tree, folders = FileTree(), [""]
    while folders:
        folder = folders.pop()
        try:
            entries = [*os.scandir(root / folder)]
        except OSError as error:
            if not folder:
                raise UserError(f"cannot read the folder {root} ({error.strerror}): check its permissions") from error
            tree.refuse(folder, f"a folder that cannot be read ({error.strerror})")
            continue
        for entry in entries:
            name = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders += [] if is_hidden(entry.name) else [name + "/"]
            else:
                _add_entry(tree, name, entry)
    return tree


def _add_entry(tree, name, entry):
    try:
        status = entry.stat()
    except OSError as error:
        tree.refuse(name, f"cannot be read ({error.strerror})")
        return
    if stat.S_ISREG(status.st_mode):
        tree.add(name, status.st_size, partial(read_part, entry.path))
        tree.stamps[name] = stamp_of(status)
    elif stat.S_ISDIR(status.st_mode):
        tree.refuse(name, "a link to a folder, which is not followed")
    else:
        tree.refuse(name, "not a regular file")


def read_part(path: str | Path, offset: int = 0, size: int | None = None) -> bytes:
    """`size` bytes of a file, or all of a file that is not too large. Safe to call from any thread or process."""
    try:
        with open(path, "rb") as file:
            if size is None and os.fstat(file.fileno()).st_size > LARGEST:
                raise UserError(f"larger than {LARGEST >> 20} MB")
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})") from error
    if size is not None and len(data) < size:
        raise UserError("truncated")
    return data


def suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def is_hidden(name: str) -> bool:
    """Hidden files, and what macOS adds to archives."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in name.split("/"))


def printable(name: str) -> str:
    """The name, with what is not valid Unicode as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")

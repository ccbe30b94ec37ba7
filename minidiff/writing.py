"""Files and folders written atomically.

Everything is written in a folder of its own next to its target, flushed to disk, and only then renamed: if the process
or the machine dies in between, a reader finds the old content or the new, never a part of it.

    .minidiff-k3j9x0ab/new/NAME      what is being written
    .minidiff-k3j9x0ab/old/NAME      what it replaces, between two renames

Nobody can guess the name of that folder or write into it, so no link can be planted where something is to be written.
Its writer keeps it locked: one that is not locked was left behind by a process that died, and the next writer of the
same folder clears it away.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError
from .reading import reason

try:
    import fcntl
except ImportError:  # on Windows; there, what a killed process leaves behind stays
    fcntl = None

PREFIX = ".minidiff-"
NEW, OLD = "new", "old"


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path of the same name to write to; the file replaces `path` when the block ends without error.

    A link at `path` is replaced, not followed. Raises UserError if the file cannot be written.
    """
    with _beside(path) as (new, _):
        yield new
        _flush(new)
        os.replace(new, path)
        _flush(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; it replaces `path` when the block ends without an error.

    Python cannot swap two folders in one system call, so the old one is renamed first; `surviving` finds it there if
    the process dies before the second rename, and the next writer puts it back. Raises UserError if the old folder has
    anything in it, at any depth, that the new one would not replace.
    """
    path = Path(os.path.abspath(path))
    with _beside(path) as (new, old):
        new.mkdir()
        yield new
        for file in [*new.rglob("*"), new]:
            _flush(file)
        if path.is_dir():
            _check_nothing_lost(path, new)
            os.rename(path, old)
        os.rename(new, path)
        _flush(path.parent)


def surviving(path: Path) -> Path:
    """`path`, or the old folder of this name if a process could not finish replacing it. Changes nothing."""
    if not os.path.exists(path) and path.name:  # false, too, for a name that no file can have
        for place in _left_behind(path.parent):
            if (place / OLD / path.name).exists():
                return place / OLD / path.name
    return path


@contextmanager
def _beside(path):
    """The paths NEW/NAME and OLD/NAME in a locked folder of this process's own; it is removed in the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_left_behind(path.parent)
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
        with _lock(place):
            try:
                for name in (NEW, OLD):
                    (place / name).mkdir()
                yield place / NEW / path.name, place / OLD / path.name
            finally:
                _clear(place)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _left_behind(folder):
    """The folders in `folder` that `_beside` made, whether their process lives or not."""
    found = []
    with suppress(OSError):
        for place in sorted(Path(folder).iterdir()):
            if re.fullmatch(re.escape(PREFIX) + r"\w{8}", place.name) and _is_own_folder(place):
                with suppress(OSError):
                    entries = [*place.iterdir()]
                    if {entry.name for entry in entries} == {NEW, OLD} and all(map(_is_own_folder, entries)):
                        found.append(place)
    return found


def _is_own_folder(path):
    """Whether it is a folder of this user, and no link: in a folder that others may write into, they could plant one,
    whose files would be moved away."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and (fcntl is None or status.st_uid == os.geteuid())


def clear_left_behind(folder: Path) -> None:
    """Finish, in one folder, what processes that died there have begun: remove it, or put back what it replaced."""
    for place in _left_behind(folder):
        with suppress(OSError), _lock(place) as free:
            if free:
                _clear(place)


@contextmanager
def _lock(place):
    """Holds the lock of a folder, and says whether it was free. It ends with the process, however that ends."""
    if fcntl is None:
        yield False
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except OSError:
            free = False
        yield free
    finally:
        os.close(handle)


def _clear(place):
    """Remove a folder of `_beside`; what it was to replace, and did not, goes back to its place."""
    for old in [*(place / OLD).iterdir()] if (place / OLD).is_dir() else []:
        target = place.parent / old.name
        if not target.exists():
            with suppress(OSError):
                os.rename(old, target)
            if old.exists():
                return
    shutil.rmtree(place, ignore_errors=True)


def _check_nothing_lost(path, new):
    """Raises UserError if a folder holds anything that the new one lacks, but for what dead processes left there."""
    for folder in [path, *(place for place in path.rglob("*") if place.is_dir())]:
        clear_left_behind(folder)
    lost = {file.relative_to(path).as_posix() for file in path.rglob("*")} - {
        file.relative_to(new).as_posix() for file in new.rglob("*")}
    if lost:
        raise UserError(f"{path} also contains {min(lost)}, which would be lost: choose another folder")


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _flush(path):
    """Wait until a file's content, or the list of a folder's entries, is on disk."""
    if os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path, error):
    old = surviving(path)
    kept = "" if old == path else f"; what it held is in {old}"
    return UserError(f"cannot write {path} ({reason(error)}): free some space or choose another place{kept}")

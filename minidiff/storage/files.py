"""Files and folders written atomically.

Everything is written under a temporary name in the same folder, flushed to disk, and only then renamed: if the process
or the machine dies in between, a reader finds the old content or the new, never a part of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError
from ..reading import reason


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write to; the file replaces `path` when the block ends without an error."""
    temporary = _sibling(path, "new")  # a fixed name: what a killed process left behind is overwritten
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; it replaces `path` when the block ends without an error.

    Python cannot swap two folders in one system call, so the old one is renamed first; `finish_swap` cleans up if the
    process dies right there. Raises UserError if the old folder has files that the new one would not replace.
    """
    path = path.resolve()
    temporary, old = _sibling(path, "new"), _sibling(path, "old")
    try:
        finish_swap(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for file in [*temporary.rglob("*"), temporary]:
            _flush(file)
        if path.is_dir():
            lost = {p.name for p in path.iterdir()} - {p.name for p in temporary.iterdir()}
            if lost:
                raise UserError(f"{path} also contains {min(lost)}, which would be lost: choose another folder")
            os.rename(path, old)
        os.rename(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        finish_swap(path)
        shutil.rmtree(temporary, ignore_errors=True)


def finish_swap(path: Path) -> None:
    """Clean up after a process died in `new_folder`: delete the old folder, or restore it if there is no new one."""
    old = _sibling(path.resolve(), "old")
    with suppress(OSError):
        if old.is_dir() and path.exists():
            shutil.rmtree(old)
        elif old.is_dir():
            os.rename(old, path)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _sibling(path, suffix):
    return path.parent / f".{path.name}.{suffix}"


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
    return UserError(f"cannot write {path} ({reason(error)}): free some space or choose another place")

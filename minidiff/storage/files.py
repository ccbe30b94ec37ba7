"""Files and folders that are there whole or not at all, and JSON with one-line errors.

Everything is written beside its place under a name of its own, flushed to the disk, and only then renamed: whatever
kills the process (or the machine) in between, a reader finds the old content or the new, never a part.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields the name to write to; the file takes the place of `path` when the block has ended well."""
    temporary = _beside(path, "new")  # always the same name: what a killed process left is overwritten
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
    """Yields an empty folder to fill; it takes the place of `path` when the block has ended well.

    No system call that Python has swaps two folders, so the old one is renamed first; `finish_swap` repairs what is
    left if the process dies right there. A folder that holds anything else than the new one does is not replaced.
    """
    path = path.resolve()
    temporary, old = _beside(path, "new"), _beside(path, "old")
    try:
        finish_swap(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for file in [*temporary.rglob("*"), temporary]:
            _flush(file)
        if path.is_dir():
            others = {p.name for p in path.iterdir()} - {p.name for p in temporary.iterdir()}
            if others:
                raise UserError(f"{path} also holds {min(others)}, which would be lost: choose another folder")
            os.rename(path, old)
        os.rename(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        finish_swap(path)
        shutil.rmtree(temporary, ignore_errors=True)


def finish_swap(path: Path) -> None:
    """After a process died between the two renames of `new_folder` the old folder comes back; otherwise nothing."""
    old = _beside(path.resolve(), "old")
    with suppress(OSError):
        if old.is_dir() and path.exists():
            shutil.rmtree(old)
        elif old.is_dir():
            os.rename(old, path)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """The object in a JSON file. Raises UserError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path} ({_reason(error)}): take it from the place the model came from") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path} (no JSON object): take it from the place the model came from")
    return content


def _beside(path, word):
    return path.parent / f".{path.name}.{word}"


def _flush(path):
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error):
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def _cannot_write(path, error):
    return UserError(f"cannot write {path} ({_reason(error)}): free some space there or choose another place")

"""A folder that one process at a time may change, by the operating system's lock of a file in it.

The system releases the lock when its process ends, in whatever way, so none is ever left behind. Forked processes don't
inherit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError

try:
    import fcntl
except ImportError:  # on Windows
    import msvcrt

    fcntl = None

LOCK_FILE = "lock"
HELD: dict[Path, tuple] = {}  # the folders that this process holds: the open file, and how many blocks hold it


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Inside, no other process gets into such a block for the same folder; this process may, again.

    Makes the folder. Raises UserError if another process holds it.
    """
    folder = folder.resolve()
    file, count = HELD.get(folder) or (_lock(folder), 0)
    HELD[folder] = file, count + 1
    try:
        yield
    finally:
        file, count = HELD.pop(folder)
        if count > 1:
            HELD[folder] = file, count - 1
        else:
            file.close()


def _no_link_nor_pipe(path, flags):
    """Opens a file, but neither what a link leads to nor a pipe, on which opening would wait."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _lock(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / LOCK_FILE, "a", encoding="utf-8", opener=_no_link_nor_pipe)
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}; choose another place") from error
    try:
        if fcntl is not None:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        file.close()
        raise UserError(f"another process is training in {folder}: wait for its end or stop it, or choose "
                        "another --out") from None
    except OSError:  # a file system without locks
        pass
    return file

"""What to do where memory or the disk runs out, in one line: the system says it in many ways, which all end a run."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UserError


@contextmanager
def shortage_explained() -> Iterator[None]:
    """Turns the errors of a full disk, and of too little memory for arrays, processes or threads, into a UserError."""
    try:
        yield
    except (MemoryError, OSError, RuntimeError, UserError) as error:
        if is_full_disk(error) or is_full_disk(error.__cause__):
            raise UserError("the disk is full: free some space, then go on with --resume") from error
        if not is_shortage(error):
            raise
        raise UserError("out of memory; the checkpoints so far are kept: go on with --resume and fewer --threads, or "
                        "start another run with a smaller --train_STAGE.batch_size") from error


def is_full_disk(error: BaseException | None) -> bool:
    return getattr(error, "errno", None) == errno.ENOSPC


def is_shortage(error: Exception) -> bool:
    return (isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
            or str(error) == "can't start new thread")

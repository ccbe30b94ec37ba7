"""Host memory: kept for the next arrays, and shared by processes."""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import cache

import numpy as np

MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**29, -3: 2**25}  # glibc's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD


@cache
def keep_memory() -> None:
    """Have the C library keep the memory of freed arrays for the next ones, as GPU libraries do with theirs.

    By default glibc returns that of large arrays to the system, which clears every page before handing it out again: a
    fifth of a training step of the autoencoder, a quarter of a denoising pass at batch size 8. Other C libraries have
    no such settings.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        for option, value in MALLOC_OPTIONS.items():
            set_option(option, value)


def shared(x: np.ndarray) -> np.ndarray:
    """A copy of `x` in memory that processes forked from now on have in common with this one."""
    copy = np.frombuffer(mmap.mmap(-1, x.nbytes), x.dtype).reshape(x.shape)
    copy[...] = x
    return copy

"""Inference on several cores: the rows of a batch are split among threads, each with one BLAS thread.

BLAS's own threads wait for each other after every matrix product. If another program needs a core, each wait costs a
time slice: 38 s instead of 1.1 s for one image of 64 x 64 pixels (20 steps, 4 M parameters, 2 cores, one of them busy).
They are also idle during everything but matrix products. So they are used only for wide models, whose products are
long, when a batch has fewer rows than there are cores.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache

import numpy as np

from ..backend import array_module, keep_memory
from ..ops import fast, no_grad
from .blas import blas_threads, set_blas_threads

LEAST_ROWS = 8      # per thread; with fewer, threads are slower than one, since they wait for Python's global lock
LEAST_RECORDED = 3  # of a recorded function, which leaves Python less to do
WIDE = 512          # channels from which on a model is wide
most = None         # cores to use, if fewer than there are: see `at_most`


def share_rows(function, *arrays, wide=False, least=LEAST_ROWS):
    """function(*arrays) under no_grad() and fast(), by parts of the batch; each row must be computed on its own.

    A thread gets `least` rows or more. `wide` is for models so wide that one row is enough work for it.
    """
    keep_memory()
    count = min(cores(), len(arrays[0]) // (1 if wide else least))
    with no_grad(), fast():
        if array_module(arrays[0]) is not np:
            return function(*arrays)
        if wide and count < cores():
            with blas_threads(None):
                return function(*arrays)
        with blas_threads(1):
            if count < 2:
                return function(*arrays)
            parts = zip(*(np.array_split(array, count) for array in arrays), strict=True)
            return np.concatenate(list(pool(count).map(in_context(function), parts)))


def is_wide(model) -> bool:
    """Whether one row is enough work for all cores: a UNet or an autoencoder as wide as Stable Diffusion's."""
    return max(model.config.block_out_channels) >= WIDE


def in_context(function):
    """function(*arrays), in whatever thread, within the contexts that this one is in."""
    context = copy_context()
    return lambda arrays: context.copy().run(function, *arrays)


@cache
def pool(count):
    """Threads that stay, as do the tapes that they have recorded."""
    return ThreadPoolExecutor(count)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # a forked process has none of them


@contextmanager
def at_most(count):
    """Inside, everything that asks `cores()`, and BLAS, uses at most `count` cores; with None, all."""
    global most
    before, most, restore = most, count, set_blas_threads(count)
    try:
        yield
    finally:
        most = before
        restore()


def cores() -> int:
    """The number of cores that this process may use."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(found, most or found)

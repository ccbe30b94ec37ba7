"""Forward passes that nothing is learned from: fast ones, on several cores.

Rows of a batch are shared out to threads, each with one BLAS thread.

BLAS's own threads wait for one another at every product. Where another program wants a core, each wait costs a time
slice: 38 s instead of 1.1 s for one image of 64 x 64 (20 steps, 4 M parameters, 2 cores of which one was busy). And
they wait while all but products is computed. So they are for wide models, whose products are long, with fewer rows
than cores.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from ..backend import array_module, keep_memory
from ..ops import fast, no_grad

LEAST_ROWS = 8  # fewer are slower than one thread, since threads wait for Python; one of a wide model is not


def share_rows(function, *arrays, wide=False):
    """function(*arrays), an array with as many rows as they have; `wide` says that each row is much work."""
    keep_memory()
    function = no_grad()(fast()(function))
    count = min(cores(), len(arrays[0]) // (1 if wide else LEAST_ROWS))
    if array_module(arrays[0]) is not np or (wide and count < cores()):
        return function(*arrays)
    with blas().limit(limits=1, user_api="blas"):
        if count < 2:
            return function(*arrays)
        with ThreadPoolExecutor(count) as pool:
            return np.concatenate(list(pool.map(function, *(np.array_split(array, count) for array in arrays))))


@cache
def blas():
    """What sets BLAS's threads; finding the library takes milliseconds, so once."""
    return ThreadpoolController()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

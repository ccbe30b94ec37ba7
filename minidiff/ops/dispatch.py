"""Which code runs when an op is called: the op as it is written here, or a kernel, which is written to be fast.

A kernel is a function in `minidiff/kernels/` with the arguments and the answer of an op, marked `@replaces(that_op)`.
"""

import contextlib
import contextvars
import functools
import importlib
from typing import NamedTuple

import numpy as np

from ..backend import array_module

_allowed = contextvars.ContextVar("allowed kernels", default="exact")  # or "none", or "fast"


class Kernel(NamedTuple):
    run: object           # the function
    when: object = None   # `when(*args, **options)` says whether it takes a call; without, it takes all
    fast: bool = False    # whether it rounds differently from the op


def replaces(op, when=None, fast=False):
    """Mark a function as a kernel of `op`, on the device that its folder is named after.

    Of several, special ones are tried first: fast ones, then those with a condition, then the one without.
    """

    def register(function):
        kernels = op.kernels[function.__module__.split(".")[-2]]
        kernels.append(Kernel(function, when, fast))
        kernels.sort(key=lambda kernel: (not kernel.fast, kernel.when is None))
        return function

    return register


def kernel_for(op, args, options):
    """The first kernel that is allowed now and takes this call, or None."""
    allowed = _allowed.get()
    if allowed == "none":
        return None
    device = "cpu" if array_module(args[0]) is np else "gpu"
    load_kernels(device)
    return next((kernel.run for kernel in op.kernels[device] if (allowed == "fast" or not kernel.fast)
                 and (kernel.when is None or kernel.when(*args, **options))), None)


@functools.cache
def load_kernels(device):
    """Import the kernels of a device, when its first array arrives."""
    importlib.import_module(f"minidiff.kernels.{device}")


@contextlib.contextmanager
def allow(kernels):
    """Inside, kernels are used as `kernels` says: "none", "exact", or "fast"."""
    token = _allowed.set(kernels)
    try:
        yield
    finally:
        _allowed.reset(token)


def plain():
    """Inside, every op runs as it is written here, without kernels."""
    return allow("none")


def fast(wanted=True):
    """Inside, kernels may round differently from their ops, by about 1e-5 of the largest element."""
    return allow("fast" if wanted else "exact")

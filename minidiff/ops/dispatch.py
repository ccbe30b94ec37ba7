"""What runs when an op is called: the op as written in `ops/`, or a kernel, which computes the same thing faster."""

import contextlib
import contextvars
import functools
import importlib

import numpy as np

from ..backend import array_module

_allowed = contextvars.ContextVar("allowed kernels", default="exact")  # or "none", or "fast"


def replaceable(function):
    """Let kernels take the place of `function`, whose first argument is an array."""

    @functools.wraps(function)
    def call(*args, **options):
        return (kernel_for(call, args, options) or function)(*args, **options)

    call.kernels = {"cpu": [], "gpu": []}
    return call


def kernel_for(op, args, options):
    """The first kernel that is allowed and can take this call, or None."""
    allowed = _allowed.get()
    if allowed == "none":
        return None
    device = "cpu" if array_module(args[0]) is np else "gpu"
    load_kernels(device)
    for run, when, is_fast in op.kernels[device]:
        if (allowed == "fast" or not is_fast) and (when is None or when(*args, **options)):
            return run
    return None


@functools.cache
def load_kernels(device):
    importlib.import_module(f"minidiff.kernels.{device}")


@contextlib.contextmanager
def allow(kernels):
    """Within this context, use no kernels ("none"), those as exact as their ops ("exact"), or all ("fast")."""
    token = _allowed.set(kernels)
    try:
        yield
    finally:
        _allowed.reset(token)


def plain():
    """Within this context, every op runs as it is written in `ops/`, without kernels."""
    return allow("none")


def fast(enabled=True):
    """Within this context, also use kernels with larger rounding errors: about 1e-5 of the largest element."""
    return allow("fast" if enabled else "exact")

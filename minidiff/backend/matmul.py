"""The matrix product that all ops and kernels use."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from .array_module import array_module


def matmul(a, b, out=None):
    """y = a b over the last two axes; leading axes broadcast.

    a (..., M, K), b (..., K, N) -> y (..., M, N)
    """
    xp = array_module(a)
    if xp is not np and cublas() is not None:
        y = cublas().matmul(a, b, out)
        if y is not None:
            return y
    return xp.matmul(a, b, out=out)


@functools.cache
def cublas():
    """Our way to cuBLAS; None, after a warning, where the library can't be loaded: CuPy's own way is slower."""
    from . import cublas

    try:
        cublas.own()
    except (ImportError, OSError, RuntimeError) as error:
        warnings.warn(f"matrix products take CuPy's slower way, as cuBLAS can't be loaded: {error}", stacklevel=3)
        return None
    return cublas

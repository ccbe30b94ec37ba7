"""The matrix product that all ops and kernels use."""

from __future__ import annotations

from .array_module import array_module


def matmul(a, b, out=None):
    """y = a b over the last two axes; leading axes broadcast.

    a (..., M, K), b (..., K, N) -> y (..., M, N)
    """
    return array_module(a).matmul(a, b, out=out)

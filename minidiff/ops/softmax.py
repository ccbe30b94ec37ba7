"""Softmax, alone and as the inside of attention."""

from __future__ import annotations

from ..backend import array_module, full_precision
from .op import op


@op
def softmax(x, axis=-1):
    """y = exp(x) / Σ exp(x) along an axis.

    x (...) -> y (...)
    """
    weights = stable_exp(x, axis)
    weights /= weights.sum(axis=axis, keepdims=True)
    y = weights.astype(x.dtype, copy=False)

    def backward(dy):
        # dx = y · (dy − Σ dy · y)
        dx = dy * y
        dx -= y * dx.sum(axis=axis, keepdims=True)
        return dx

    return y, backward


def stable_exp(x, axis, out=None):
    """exp(x − the largest entry along an axis), which cannot overflow; half precision runs in float32."""
    y = array_module(x).subtract(full_precision(x), x.max(axis=axis, keepdims=True), out=out)
    return array_module(x).exp(y, out=y)

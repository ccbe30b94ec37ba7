"""Softmax, alone and as the inside of attention and of the losses."""

from __future__ import annotations

from ..backend import array_module, full_precision
from .op import op


@op
def softmax(x, axis=-1):
    """y = exp(x) / Σ exp(x) along an axis.

    x (...) -> y (...)
    """
    y = stable_softmax(x, axis).astype(x.dtype, copy=False)

    def backward(dy):
        # dx = y · (dy − Σ dy · y)
        dx = dy * y
        dx -= y * dx.sum(axis=axis, keepdims=True)
        return dx

    return y, backward


def stable_softmax(x, axis):
    """The largest entry is subtracted first, so that exp cannot overflow; half precision runs in float32."""
    y = full_precision(x) - x.max(axis=axis, keepdims=True)
    y = array_module(x).exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y

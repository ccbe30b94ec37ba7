"""Softmax: scores into weights that are positive and sum to 1."""

from ..backend import array_module, full_precision
from .op import op


@op
def softmax(x, axis=-1):
    """y = exp(x) / Σ exp(x) along an axis.

    x (...) -> y (...)

    The largest element is subtracted first, which changes nothing but keeps exp from overflowing.
    """
    powers = array_module(x).exp(full_precision(x) - x.max(axis=axis, keepdims=True))
    y = (powers / powers.sum(axis=axis, keepdims=True)).astype(x.dtype, copy=False)

    def backward(dy):
        return y * (dy - (dy * y).sum(axis=axis, keepdims=True))

    return y, backward

"""Softmax turns scores into non-negative weights that sum to 1."""

from ..backend import array_module, full_precision
from .op import op


@op
def softmax(x, axis=-1):
    """y = exp(x) / Σ exp(x) along an axis.

    x (...) -> y (...)

    Subtracting the largest element first does not change y, but keeps exp from overflowing.
    """
    exps = array_module(x).exp(full_precision(x) - x.max(axis=axis, keepdims=True))
    y = (exps / exps.sum(axis=axis, keepdims=True)).astype(x.dtype, copy=False)

    def backward(dy):
        return y * (dy - (dy * y).sum(axis=axis, keepdims=True))

    return y, backward

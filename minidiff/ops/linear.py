"""The affine map, the one operation that nearly all parameters belong to."""

from __future__ import annotations

from ..backend import column_sums, matmul
from .op import op


@op
def linear(x, weight, bias=None):
    """y = x weightᵀ + bias

    x (..., I), weight (O, I), bias (O) -> y (..., O)
    """
    rows = x.reshape(-1, x.shape[-1])
    y = matmul(rows, weight.T)
    if bias is not None:
        y += bias

    def backward(dy):
        dy = dy.reshape(-1, dy.shape[-1])
        dx = matmul(dy, weight).reshape(x.shape)
        dweight = matmul(dy.T, rows)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy))

    return y.reshape(*x.shape[:-1], weight.shape[0]), backward

"""The affine map of `ops.linear` with its bias added in place, for both devices: each has its own sum over rows."""

from __future__ import annotations

from ..backend import matmul


def affine(x, weight, bias, column_sums):
    """(y, backward) of linear(x, weight, bias), where `column_sums` is a kernel's sum (N, O) -> (O)."""
    rows = x.reshape(-1, x.shape[-1])
    y = matmul(rows, weight.T)
    if bias is not None:
        y += bias

    def backward(dy):
        dy = dy.reshape(-1, dy.shape[-1])
        dx = matmul(dy, weight).reshape(x.shape)
        dweight = matmul(dy.T, rows)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy))

    return y.reshape(*x.shape[:-1], len(weight)), backward

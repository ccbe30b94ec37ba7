"""The affine map, the one operation that nearly all parameters belong to."""

from ..backend import matmul
from .op import op


@op
def linear(x, weight, bias=None):
    """y = x weightᵀ + bias

    x (..., I), weight (O, I), bias (O) -> y (..., O)
    """
    rows = x.reshape(-1, x.shape[-1])                                               # (N, I)
    y = matmul(rows, weight.T)                                                      # (N, O)

    def backward(dy):
        dy_rows = dy.reshape(y.shape)
        dx = matmul(dy_rows, weight).reshape(x.shape)
        dweight = matmul(dy_rows.T, rows)
        return (dx, dweight) if bias is None else (dx, dweight, dy_rows.sum(axis=0))

    shifted = y if bias is None else y + bias
    return shifted.reshape(*x.shape[:-1], len(weight)), backward

"""The fully connected layer: an affine map of the last axis."""

from ..backend import matmul
from .op import op


@op
def linear(x, weight, bias=None):
    """y = x weightᵀ + bias

    x (..., I), weight (O, I), bias (O) -> y (..., O)
    """
    x_rows = x.reshape(-1, x.shape[-1])                                             # (N, I)
    y = matmul(x_rows, weight.T)                                                    # (N, O)

    def backward(dy):
        dy_rows = dy.reshape(-1, dy.shape[-1])
        dx = matmul(dy_rows, weight).reshape(x.shape)
        dweight = matmul(dy_rows.T, x_rows)
        return (dx, dweight) if bias is None else (dx, dweight, dy_rows.sum(axis=0))

    return (y if bias is None else y + bias).reshape(*x.shape[:-1], len(weight)), backward

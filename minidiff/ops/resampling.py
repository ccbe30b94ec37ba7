"""Changes of resolution that need no parameters."""

from __future__ import annotations

from ..backend import array_module
from .op import op


@op
def upsample_nearest(x):
    """Every pixel becomes a square of 2 x 2 equal pixels.

    x (N, H, W, C) -> y (N, 2H, 2W, C)
    """
    n, height, width, channels = x.shape
    y = array_module(x).empty((n, height, 2, width, 2, channels), x.dtype)
    y[...] = x[:, :, None, :, None]

    def backward(dy):
        dy = dy.reshape(n, height, 2, width, 2, channels)
        dx = dy[:, :, 0, :, 0] + dy[:, :, 0, :, 1]
        dx += dy[:, :, 1, :, 0]
        dx += dy[:, :, 1, :, 1]
        return dx

    return y.reshape(n, 2 * height, 2 * width, channels), backward


@op
def patchify(x, size):
    """Cut a picture into squares of size x size pixels and lay each out as one row, in reading order.

    x (N, H, W, C) -> y (N, T, F)

    Dosovitskiy et al. 2021, eq. 1. T = (H / size) (W / size), F = size² C.
    """
    n, height, width, channels = x.shape
    grid = (n, height // size, size, width // size, size, channels)
    y = x.reshape(grid).swapaxes(2, 3).reshape(n, -1, size * size * channels)

    def backward(dy):
        return dy.reshape(n, grid[1], grid[3], size, size, channels).swapaxes(2, 3).reshape(n, height, width, channels)

    return y, backward

"""Convolution as a product of windows and weights, with or without upsampling before it.

A launch for the windows, a product and the bias forward; five calls backward. Windows are made again in backward, since
they are k² repeat² / stride² times as large as x.
"""

from __future__ import annotations

from ... import ops
from ...backend import array_module, matmul
from .. import replaces
from .launch import launch

THREADS = 256  # of a block at most
WARP = 32


@replaces(ops.conv2d)
def conv2d(x, weight, bias=None, stride=1, padding=None):
    return convolve(x, weight, bias, stride, padding, repeat=1)


@replaces(ops.upsample_conv2d)
def upsample_conv2d(x, weight, bias):
    return convolve(x, weight, bias, stride=1, padding=None, repeat=2)


def convolve(x, weight, bias, stride, padding, repeat):
    """The convolution of x, each pixel of which stands for repeat x repeat of them."""
    xp, k = array_module(x), len(weight)
    n, height, width, inputs = x.shape
    (top, bottom), (left, right) = padding if padding is not None else ((k // 2, k // 2), (k // 2, k // 2))
    rows = (repeat * height + top + bottom - k) // stride + 1
    columns = (repeat * width + left + right - k) // stride + 1
    geometry = k, stride, top, left, repeat
    pointwise = geometry == (1, 1, 0, 0, 1) and (rows, columns) == (height, width)
    flat_weight = weight.reshape(k * k * inputs, -1)

    def windows():
        if pointwise:
            return x.reshape(-1, inputs)
        y = xp.empty((n * rows * columns, k * k * inputs), x.dtype)
        launch("convolution.cu", "windows", (columns, rows, n), threads(k * k * inputs), x, y,
               height, width, inputs, *geometry)
        return y

    def windows_back(dwindows):
        if pointwise:
            return dwindows.reshape(x.shape)
        dx = xp.empty(x.shape, x.dtype)
        launch("convolution.cu", "windows_backward", (width, height, n), threads(inputs), dwindows, dx,
               rows, columns, inputs, *geometry)
        return dx

    y = matmul(windows(), flat_weight)
    if bias is not None:
        y += bias

    def backward(dy):
        dy_rows = dy.reshape(-1, dy.shape[-1])
        dweight = matmul(windows().T, dy_rows).reshape(weight.shape)
        dx = windows_back(matmul(dy_rows, flat_weight.T))
        return (dx, dweight) if bias is None else (dx, dweight, dy_rows.sum(axis=0))

    return y.reshape(n, rows, columns, weight.shape[-1]), backward


def threads(elements):
    """Whole warps for the elements of a pixel: with few channels, a full block would be idle for the most part."""
    return min(THREADS, -(-elements // WARP) * WARP)

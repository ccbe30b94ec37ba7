"""Convolution as a product of windows and weights, with or without upsampling before it.

A launch for the windows, a product and the bias forward; five calls backward. Windows are made again in backward, since
they are k² repeat² / stride² times as large as x.
"""

from __future__ import annotations

from ... import ops
from ...backend import array_module, matmul
from .. import replaces
from .column_sums import column_sums
from .launch import launch

THREADS = 256  # of a block


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
    ((top, _), (left, _)), (rows, columns) = geometry((repeat * height, repeat * width), k, stride, padding)
    pointwise = (k, stride, repeat) == (1, 1, 1) and (rows, columns) == (height, width)
    block = block_of(inputs)
    constants = {"K": k, "STRIDE": stride, "REPEAT": repeat}
    flat_weight = weight.reshape(k * k * inputs, -1)

    def windows():
        if pointwise:
            return x.reshape(-1, inputs)
        y = xp.empty((n * rows * columns, k * k * inputs), x.dtype)
        launch("convolution.cu", "windows", (-(-columns // block[1]), rows, n), block, x, y,
               height, width, inputs, columns, top, left, **constants)
        return y

    def windows_back(dwindows):
        if pointwise:
            return dwindows.reshape(x.shape)
        dx = xp.empty(x.shape, x.dtype)
        launch("convolution.cu", "windows_backward", (-(-width // block[1]), height, n), block, dwindows, dx,
               rows, columns, inputs, width, top, left, **constants)
        return dx

    y = matmul(windows(), flat_weight)
    if bias is not None:
        y += bias

    def backward(dy):
        dy_rows = dy.reshape(-1, dy.shape[-1])
        dweight = matmul(windows().T, dy_rows).reshape(weight.shape)
        dx = windows_back(matmul(dy_rows, flat_weight.T))
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy_rows))

    return y.reshape(n, rows, columns, weight.shape[-1]), backward


def geometry(size, k, stride, padding):
    """(padding of an image of this height and width, height and width of y)"""
    padding = padding if padding is not None else ((k // 2, k // 2), (k // 2, k // 2))
    return padding, [(pixels + sum(pads) - k) // stride + 1 for pixels, pads in zip(size, padding, strict=True)]


def block_of(channels):
    """Threads for the channels of a pixel, and as many pixels beside it as fit."""
    across = min(THREADS, channels)
    return across, THREADS // across

"""Twice the resolution, alone and with the convolution that follows it."""

from __future__ import annotations

import numpy as np

from ..backend import array_module, column_sums, matmul, tiled
from .convolution import conv2d
from .op import op

# The three rows of a kernel fall on two rows of the small image: [w0, w1 + w2] for even rows of y, [w0 + w1, w2] for
# odd ones; the columns likewise. So FOLD (16, 9) turns a 3 x 3 kernel into four of 2 x 2.
ROWS = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
FOLD = np.einsum("aur,bvs->abuvrs", ROWS, ROWS).reshape(16, 9)
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))


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
def upsample_conv2d(x, weight, bias):
    """y = conv2d(upsample_nearest(x), weight, bias) for a kernel of 3 x 3, in 16 products a pixel instead of 36.

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, 2H, 2W, O)

    Pixels (2p + a, 2q + b) of y are the convolution of x with a kernel of 2 x 2, one for each phase (a, b).
    """
    xp = array_module(x)
    n, height, width, inputs = x.shape
    outputs = len(bias)
    fold = xp.asarray(FOLD, weight.dtype)
    kernels = matmul(fold, weight.reshape(9, -1)).reshape(4, 2, 2, inputs, outputs)
    y = xp.empty((n, 2 * height, 2 * width, outputs), x.dtype)
    backs = []
    for (a, b), kernel in zip(PHASES, kernels, strict=True):
        y[:, a::2, b::2], back = conv2d(x, kernel, padding=((1 - a, a), (1 - b, b)))
        backs.append(back)
    y.reshape(n * 2 * height, -1)[...] += tiled(bias, 2 * width)  # long inner loops

    def backward(dy):
        dx, dkernels = xp.zeros_like(x), xp.empty_like(kernels)
        for (a, b), back, dkernel in zip(PHASES, backs, dkernels, strict=True):
            part, dkernel[...] = back(dy[:, a::2, b::2])
            dx += part
        dweight = matmul(fold.T, dkernels.reshape(16, -1)).reshape(weight.shape)
        return dx, dweight, column_sums(dy.reshape(-1, outputs))

    return y, backward

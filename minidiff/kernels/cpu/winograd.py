"""Convolution in Winograd's form: 36 products give 16 pixels of a 3 x 3 kernel's answer, where columns take 144.

A correlation of 6 values with 3, which has four results, is a product of polynomials. Both are evaluated at six points
(0, 1, −1, 2, −2 and infinity), multiplied there, and the product is interpolated; in two dimensions rows, then columns:

    y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A        for every tile of 4 x 4 pixels of y, which reads 6 x 6 pixels of x

F(4 x 4, 3 x 3) of Lavin & Gray 2016, section 4.3. For all tiles at once, ⊙ is one matrix product for each of the 36
points. In float32 its rounding error is about 1e-5 of the largest result, ten times that of the direct convolution.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import matmul
from ...ops import replaces
from .convolution import pad
from .passes import add_bias, column_sums

B_T = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
BLOCK = 1_000_000  # bytes of a band of tiles, evaluated at their points: what stays in a core's level-2 cache
LEAST_TILES = 32   # of a batch: fewer do not repay the transform of the kernel


def pays(x, weight, bias=None, stride=1, padding=None):
    tiles = x.shape[0] * -(-x.shape[1] // 4) * -(-x.shape[2] // 4)
    return (tiles >= LEAST_TILES and x.dtype.itemsize > 2  # half precision has too few digits
            and weight.shape[0] == 3 and stride == 1 and padding is None)


@replaces(ops.conv2d, when=pays, fast=True)
def winograd_conv2d(x, weight, bias=None, stride=1, padding=None):
    y = correlate(x, weight)
    if bias is not None:
        add_bias(y, bias)

    def backward(dy):
        # As for the direct form: dy correlates with the rotated kernel, and its tiles times those of x give dweight.
        dx, dweight = correlate_and_outer(dy, weight[::-1, ::-1].swapaxes(2, 3), x)
        dweight = dweight[::-1, ::-1].swapaxes(2, 3)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy.reshape(-1, dy.shape[-1])))

    return y, backward


def correlate(x, weight):
    """y[n, p, q] = Σ x[n, p + a − 1, q + b − 1] · weight[a, b]"""
    _, height, width, _ = x.shape
    kernel = transform(G, weight)
    y = empty_map(x, weight.shape[-1])
    tiles = squares(y)
    for where, points in bands(x, weight.shape[-1]):
        tiles[where] = transform(A_T, matmul(points, kernel)).reshape(tiles[where].shape)
    return np.ascontiguousarray(y[:, :height, :width])


def correlate_and_outer(dy, weight, x):
    """The correlation of dy with `weight`, and (3, 3, O, I) sums of the pixels that this read times those of x."""
    _, height, width, inputs = x.shape
    kernel = transform(G, weight)
    dx, dkernel = empty_map(dy, inputs), 0
    tiles, x_tiles = squares(dx), squares(x)
    for where, points in bands(dy, inputs):
        tiles[where] = transform(A_T, matmul(points, kernel)).reshape(tiles[where].shape)
        dkernel += matmul(points.swapaxes(1, 2), transform(A_T.T, x_tiles[where]))
    return dx[:, :height, :width], transform(G.T, dkernel).reshape(weight.shape)


def transform(matrix, tiles):
    """matrix · tile · matrixᵀ for every tile and channel.

    matrix (m, k), tiles (k, k, ..., C) or (k², ..., C) -> y (m², T, C)
    """
    m, k = matrix.shape
    matrix = np.asarray(matrix, tiles.dtype)
    rows = matmul(matrix, tiles.reshape(k, -1)).reshape(m, k, -1)
    return matmul(matrix, rows).reshape(m * m, -1, tiles.shape[-1])


def bands(x, outputs):
    """Yield (where, points (36, T, C)): band by band, the 6 x 6 pixels read for 4 x 4 of y, evaluated at the points.

    A band is no smaller than the kernel, all of which each band's product reads.
    """
    n, height, width, channels = x.shape
    rows, columns = -(-height // 4), -(-width // 4)
    x = pad(x, (n, 4 * rows + 2, 4 * columns + 2), 1, 1)
    s = x.strides
    tiles = np.lib.stride_tricks.as_strided(
        x, (6, 6, n, rows, columns, channels), (s[1], s[2], s[0], 4 * s[1], 4 * s[2], s[3]))
    widths = channels + outputs
    band = max(channels * outputs // widths, BLOCK // (36 * widths * x.itemsize))
    samples = max(1, band // (rows * columns))
    band = max(1, band // columns)
    for i in range(0, n, samples):
        for j in range(0, rows, band):
            where = slice(None), slice(None), slice(i, i + samples), slice(j, j + band)
            yield where, transform(B_T, tiles[where])


def empty_map(x, channels):
    """An uninitialised map for all tiles of `x`, up to 3 pixels higher and wider than it."""
    n, height, width, _ = x.shape
    return np.empty((n, height + -height % 4, width + -width % 4, channels), x.dtype)


def squares(x):
    """The 4 x 4 pixels of every tile: (N, H, W, C) -> a view (4, 4, N, rows, columns, C), with zeros at the edge."""
    n, height, width, channels = x.shape
    x = pad(x, (n, height + -height % 4, width + -width % 4), 0, 0)
    return x.reshape(n, x.shape[1] // 4, 4, x.shape[2] // 4, 4, channels).transpose(2, 4, 0, 1, 3, 5)

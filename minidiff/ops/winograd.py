"""Convolution in Winograd's form: 36 products give 16 pixels of a 3 x 3 kernel's answer, where `conv2d` takes 144.

A correlation of 6 numbers with 3, four results, is a product of polynomials. Both are taken at six points (0, 1, -1, 2,
-2 and infinity), multiplied there, and the results put together again; in two dimensions rows, then columns:

    y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A        for every tile of 4 x 4 pixels of y, which reads 6 x 6 pixels of x

F(4 x 4, 3 x 3) of Lavin & Gray 2016, section 4.3. All tiles at once, ⊙ is one matrix product for each of the 36 points.
In float32 its rounding error is about 1e-5 of the largest result, ten times that of `conv2d`.
"""

from __future__ import annotations

import contextlib
import contextvars

import numpy as np

from ..backend import array_module, column_sums, matmul, tiled
from .convolution import spread
from .op import op

B_T = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
BAND_BYTES = 1_000_000  # of tiles at their points, which stay in a core's level-2 cache
LEAST_TILES = 32        # of a batch: fewer do not repay the transform of the kernel

_wanted = contextvars.ContextVar("fast_convolutions", default=False)


@contextlib.contextmanager
def fast_convolutions(wanted: bool = True):
    """Inside, layers take `winograd_conv2d` for the convolutions that it makes faster."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def winograd_pays(x, weight, stride=1, padding=None) -> bool:
    """Whether a layer should take `winograd_conv2d`: it is wanted, can be done, and not lost in too small a batch."""
    tiles = x.shape[0] * -(-x.shape[1] // 4) * -(-x.shape[2] // 4)
    return (_wanted.get() and tiles >= LEAST_TILES and x.dtype.itemsize > 2  # half precision has too few digits
            and weight.shape[0] == 3 and stride == 1 and padding is None)


@op
def winograd_conv2d(x, weight, bias=None):
    """y[n, p, q, o] = bias[o] + Σ x[n, p + a − 1, q + b − 1, i] · weight[a, b, i, o]

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, H, W, O)
    """
    y = _correlate(x, weight)
    if bias is not None:
        y.reshape(len(y) * y.shape[1], -1)[...] += tiled(bias, y.shape[2])  # long inner loops

    def backward(dy):
        # As for conv2d: dy correlates with the rotated kernel, and its tiles times the pixels of x give dweight.
        dx, dweight = _correlate_and_outer(dy, weight[::-1, ::-1].swapaxes(2, 3), x)
        dweight = dweight[::-1, ::-1].swapaxes(2, 3)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy.reshape(-1, dy.shape[-1])))

    return y, backward


def _correlate(x, weight):
    """y[n, p, q] = Σ x[n, p + a − 1, q + b − 1] · weight[a, b]"""
    _, height, width, _ = x.shape
    kernel = _transform(G, weight)
    y = _canvas(x, weight.shape[-1])
    tiles = _squares(y)
    for where, points in _bands(x, weight.shape[-1]):
        tiles[where] = _transform(A_T, matmul(points, kernel)).reshape(tiles[where].shape)
    return array_module(x).ascontiguousarray(y[:, :height, :width])


def _correlate_and_outer(dy, weight, x):
    """The correlation of dy with `weight`, and (3, 3, O, I) sums of the pixels that this read times those of x."""
    _, height, width, inputs = x.shape
    kernel = _transform(G, weight)
    dx, dkernel = _canvas(dy, inputs), 0
    tiles, x_tiles = _squares(dx), _squares(x)
    for where, points in _bands(dy, inputs):
        tiles[where] = _transform(A_T, matmul(points, kernel)).reshape(tiles[where].shape)
        dkernel += matmul(points.swapaxes(1, 2), _transform(A_T.T, x_tiles[where]))
    return dx[:, :height, :width], _transform(G.T, dkernel).reshape(weight.shape)


def _transform(matrix, tiles):
    """matrix · tile · matrixᵀ for every tile and channel.

    matrix (m, k), tiles (k, k, ..., C) or (k², ..., C) -> y (m², T, C)
    """
    m, k = matrix.shape
    matrix = array_module(tiles).asarray(matrix, tiles.dtype)
    rows = matmul(matrix, tiles.reshape(k, -1)).reshape(m, k, -1)
    return matmul(matrix, rows).reshape(m * m, -1, tiles.shape[-1])


def _bands(x, outputs):
    """Yield (where, points (36, T, C)): band by band, the 6 x 6 pixels read for 4 x 4 of y, taken at the points."""
    n, height, width, channels = x.shape
    rows, columns = -(-height // 4), -(-width // 4)
    x = spread(x, (n, 4 * rows + 2, 4 * columns + 2), 1, 1)
    s = x.strides
    tiles = array_module(x).lib.stride_tricks.as_strided(
        x, (6, 6, n, rows, columns, channels), (s[1], s[2], s[0], 4 * s[1], 4 * s[2], s[3]))
    widths = channels + outputs
    band = max(channels * outputs // widths, BAND_BYTES // (36 * widths * x.itemsize))  # no less than the kernel
    samples = max(1, band // (rows * columns))
    band = max(1, band // columns)
    for i in range(0, n, samples):
        for j in range(0, rows, band):
            where = slice(None), slice(None), slice(i, i + samples), slice(j, j + band)
            yield where, _transform(B_T, tiles[where])


def _canvas(x, channels):
    """An empty map for all tiles of `x`, up to 3 pixels higher and wider where its sides are no multiples of 4."""
    n, height, width, _ = x.shape
    return array_module(x).empty((n, height + -height % 4, width + -width % 4, channels), x.dtype)


def _squares(x):
    """The 4 x 4 pixels of every tile: (N, H, W, C) -> a view (4, 4, N, rows, columns, C), with zeros at the edge."""
    n, height, width, channels = x.shape
    x = spread(x, (n, height + -height % 4, width + -width % 4), 0, 0)
    return x.reshape(n, x.shape[1] // 4, 4, x.shape[2] // 4, 4, channels).transpose(2, 4, 0, 1, 3, 5)

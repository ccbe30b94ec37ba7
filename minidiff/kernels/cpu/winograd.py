"""Winograd convolution: 16 output pixels of a 3 x 3 kernel take 36 products instead of 144.

Like a product of polynomials, the correlation of 6 values with 3 can be computed at points, here 0, 1, −1, 2, −2 and ∞:
transform both to their values at the six points, multiply these, and transform back to the 4 results. In two
dimensions, each transform is applied to rows, then to columns:

    y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A        for each tile of 4 x 4 pixels of y, which reads 6 x 6 pixels of x

F(4 x 4, 3 x 3) of Lavin & Gray 2016, section 4.3. Over all tiles and channels, ⊙ is one matrix product for each of the
36 points. In float32 the rounding error is about 1e-5 of the largest result, ten times that of direct convolution.

Time: 0.28, 0.37.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import matmul
from .. import replaces
from .convolution import pad
from .passes import add_bias, column_sums, contiguous, empty, strided

B_T = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
BLOCK = 1_000_000  # bytes of a band of transformed tiles, to stay in a core's L2 cache
LEAST_TILES = 32   # in a batch; with fewer, transforming the kernel costs more than it saves


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
        # As in direct convolution, with dweight as the product of transformed tiles of dy and x.
        dx, dweight = correlate_and_dweight(dy, weight[::-1, ::-1].swapaxes(2, 3), x)
        dweight = dweight[::-1, ::-1].swapaxes(2, 3)
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy.reshape(-1, dy.shape[-1])))

    return y, backward


def correlate(x, weight):
    """y[n, p, q] = Σ x[n, p + a − 1, q + b − 1] · weight[a, b]"""
    _, height, width, _ = x.shape
    kernel = transform(G, weight)
    y = empty_map(x, weight.shape[-1])
    tiles = tile_view(y)
    for index, points in bands(x, weight.shape[-1]):
        tiles[index] = transform(A_T, matmul(points, kernel)).reshape(tiles[index].shape)
    return contiguous(y[:, :height, :width])


def correlate_and_dweight(dy, weight, x):
    """dx, the correlation of dy with `weight`; dweight (3, 3, O, I), windows of dy times pixels of x."""
    _, height, width, inputs = x.shape
    kernel = transform(G, weight)
    dx, dkernel = empty_map(dy, inputs), 0
    tiles, x_tiles = tile_view(dx), tile_view(x)
    for index, points in bands(dy, inputs):
        tiles[index] = transform(A_T, matmul(points, kernel)).reshape(tiles[index].shape)
        dkernel += matmul(points.swapaxes(1, 2), transform(A_T.T, x_tiles[index]))
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
    """Yield (index, points (36, T, C)), band by band: the tiles of 6 x 6 pixels of x, transformed to the 36 points.

    A band is no smaller than the kernel, since the product of every band reads the whole kernel.
    """
    n, height, width, channels = x.shape
    rows, columns = -(-height // 4), -(-width // 4)
    x = pad(x, (n, 4 * rows + 2, 4 * columns + 2), 1, 1)
    s = x.strides
    tiles = strided(
        x, (6, 6, n, rows, columns, channels), (s[1], s[2], s[0], 4 * s[1], 4 * s[2], s[3]))
    widths = channels + outputs
    band = max(channels * outputs // widths, BLOCK // (36 * widths * x.itemsize))
    samples = max(1, band // (rows * columns))
    band = max(1, band // columns)
    for i in range(0, n, samples):
        for j in range(0, rows, band):
            index = slice(None), slice(None), slice(i, i + samples), slice(j, j + band)
            yield index, transform(B_T, tiles[index])


def empty_map(x, channels):
    """An empty feature map of whole tiles, up to 3 pixels taller and wider than `x`."""
    n, height, width, _ = x.shape
    return empty((n, height + -height % 4, width + -width % 4, channels), x)


def tile_view(x):
    """(N, H, W, C) -> (4, 4, N, rows, columns, C): a view as tiles of 4 x 4 pixels, padded with zeros if need be."""
    n, height, width, channels = x.shape
    x = pad(x, (n, height + -height % 4, width + -width % 4), 0, 0)
    return x.reshape(n, x.shape[1] // 4, 4, x.shape[2] // 4, 4, channels).transpose(2, 4, 0, 1, 3, 5)

"""Convolution as matrix products over columns (im2col), channels last.

In a zero-padded channels-last image the k horizontal neighbours of a pixel are one run of k·C numbers, so the columns
of a pixel are k such runs, and copying them is k long moves. They are built in bands, multiplied at once and thrown
away: the backward pass needs columns of dy only, and neither keeps nor scatters columns of x. A band stays in the
cache, unless the kernel is larger: each band's product reads all of it, so the band is made as large.
"""

from __future__ import annotations

from ..backend import array_module, column_sums, matmul, tiled
from .op import op

BAND_BYTES = 1_200_000  # what stays in a core's level-2 cache beside the rest: larger bands were up to 1.5x slower


@op
def conv2d(x, weight, bias=None, stride=1, padding=None):
    """y[n, p, q, o] = bias[o] + Σ x[n, stride·p + a − top, stride·q + b − left, i] · weight[a, b, i, o]

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, P, Q, O)

    `padding` is ((top, bottom), (left, right)), by default k // 2 on every side.
    """
    k = weight.shape[0]
    (top, bottom), (left, right) = padding or ((k // 2, k // 2), (k // 2, k // 2))
    n, height, width, _ = x.shape
    rows = (height + top + bottom - k) // stride + 1
    columns = (width + left + right - k) // stride + 1
    size = (n, height + top + bottom, width + left + right)
    y = _correlate(spread(x, size, top, left), weight, stride, rows, columns)
    if bias is not None:
        y.reshape(n * rows, -1)[...] += tiled(bias, columns)  # long inner loops

    def backward(dy):
        if stride == 1:
            # With zeros around it, dy correlates with the rotated kernel to give dx.
            wide = spread(dy, (n, height + k - 1, width + k - 1), k - 1 - top, k - 1 - left)
            dx, dweight = _correlate_and_outer(wide, weight[::-1, ::-1].swapaxes(2, 3), x)
            dweight = dweight[::-1, ::-1].swapaxes(2, 3)
        else:
            dpadded, dweight = _scatter_and_outer(dy, weight, spread(x, size, top, left), stride)
            dx = dpadded[:, top : top + height, left : left + width]
        return (dx, dweight) if bias is None else (dx, dweight, column_sums(dy.reshape(-1, dy.shape[-1])))

    return y, backward


def spread(x, size, top, left):
    """`x` on a canvas of zeros, its first pixel at (top, left)."""
    if size == x.shape[:3]:
        return x
    canvas = array_module(x).zeros((*size, x.shape[-1]), x.dtype)
    canvas[:, top : top + x.shape[1], left : left + x.shape[2]] = x
    return canvas


def _bands(x, k, outputs, stride, rows, columns):
    """Yield (samples, rows, columns of that band) of a padded `x`: the view (n, p, q, k, k·C), copied band by band."""
    xp = array_module(x)
    n, channels = x.shape[0], x.shape[-1]
    if k == 1 and stride == 1:
        yield slice(0, n), slice(0, rows), x.reshape(-1, channels)
        return
    x = xp.ascontiguousarray(x)  # so that k neighbours are one run
    s = x.strides
    view = xp.lib.stride_tricks.as_strided(
        x, (n, rows, columns, k, k * channels), (s[0], stride * s[1], stride * s[2], s[1], s[3]))
    pixels = max(outputs, BAND_BYTES // (k * k * channels * x.itemsize))  # no fewer numbers than the kernel has
    samples = min(n, max(1, pixels // (rows * columns)))
    band = min(rows, max(1, pixels // columns))
    buffer = xp.empty((samples, band, columns, k, k * channels), x.dtype)
    for i in range(0, n, samples):
        for j in range(0, rows, band):
            source = view[i : i + samples, j : j + band]
            cols = buffer.reshape(-1)[: source.size].reshape(source.shape)
            cols[...] = source
            yield slice(i, i + samples), slice(j, j + band), cols.reshape(-1, k * k * channels)


def _correlate(x, weight, stride, rows, columns):
    """y[n, p, q] = Σ x[n, stride·p + a, stride·q + b] · weight[a, b], over a padded x."""
    xp = array_module(x)
    k, outputs = weight.shape[0], weight.shape[-1]
    flat = weight.reshape(-1, outputs)
    y = xp.empty((x.shape[0], rows, columns, outputs), x.dtype)
    for samples, band, cols in _bands(x, k, outputs, stride, rows, columns):
        matmul(cols, flat, out=y[samples, band].reshape(-1, outputs))
    return y


def _correlate_and_outer(dy, weight, x):
    """The correlation of a padded dy with `weight`, and (k, k, O, I) sums of its columns times the pixels of x."""
    xp = array_module(x)
    k, _, outputs, inputs = weight.shape
    flat = weight.reshape(-1, inputs)
    dx, dweight = xp.empty(x.shape, x.dtype), 0
    for samples, band, cols in _bands(dy, k, inputs, 1, x.shape[1], x.shape[2]):
        matmul(cols, flat, out=dx[samples, band].reshape(-1, inputs))
        dweight += matmul(cols.T, x[samples, band].reshape(-1, inputs))
    return dx, dweight.reshape(k, k, outputs, inputs)


def _scatter_and_outer(dy, weight, x, stride):
    """Every pixel of dy times the kernel, added where it was read from a padded x; and the sums (k, k, I, O) for it.

    With a stride few of these overlap, and no product is with a zero between the pixels of dy.
    """
    xp = array_module(x)
    k, _, inputs, outputs = weight.shape
    flat = weight.reshape(-1, outputs)
    dx, dweight = xp.zeros(x.shape, x.dtype), 0
    rows, columns = dy.shape[1:3]
    for samples, band, cols in _bands(x, k, outputs, stride, rows, columns):
        part = dy[samples, band]
        pixels = part.reshape(-1, outputs)
        dweight += matmul(cols.T, pixels)
        dcols = matmul(pixels, flat.T).reshape(*part.shape[:3], k, k, inputs)
        first, count = stride * band.start, part.shape[1]
        for a in range(k):
            for b in range(k):
                dx[samples, first + a : first + a + stride * count : stride, b : b + stride * columns : stride] += (
                    dcols[:, :, :, a, b])
    return dx, dweight.reshape(weight.shape)

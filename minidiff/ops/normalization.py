"""Group and layer normalisation: zero mean and unit variance, then a learned scale and shift.

With per-channel sums taken as products with a vector of ones, a group's statistics are combined on tiny (N, C) arrays
and the large array is only read, scaled and shifted: a tenth of the time of means and variances over group axes.
"""

from __future__ import annotations

from ..backend import array_module, blocks, column_sums, full_precision, matmul, tiled
from .op import op

BLOCK = 1 << 16  # numbers of the rows that layer_norm takes through the cache together


@op
def group_norm(x, weight, bias, groups, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the pixels and channels of a group.

    x (N, H, W, C), weight (C), bias (C) -> y (N, H, W, C)

    Wu & He 2018, eq. 1-3.
    """
    xp = array_module(x)
    n, height, width, channels = x.shape
    lines = full_precision(x).reshape(n, height, width * channels)

    def over_group(sums):
        """(N, 1, C) sums per channel -> their mean over the group, at every channel."""
        means = sums.reshape(n, groups, -1).sum(axis=-1, keepdims=True) / (height * width * (channels // groups))
        return means.repeat(channels // groups, axis=-1).reshape(n, 1, channels)

    def sum_pixels(a):
        return column_sums(a.reshape(n, height * width, channels))

    def at_pixels(a):
        """(N, 1, C) or (C) -> one number for each of a line: few long loops are faster than many of C steps."""
        return tiled(a, width)

    mean = over_group(sum_pixels(lines))
    centred = lines - at_pixels(mean)
    rstd = 1 / xp.sqrt(over_group(sum_pixels(centred * centred)) + eps)
    centred *= at_pixels(rstd * weight)
    centred += at_pixels(bias)

    def backward(dy):
        # dx = rstd · (dz − mean(dz) − xhat · mean(dz · xhat)), dz = dy · weight, xhat = rstd · (x − mean) is not kept
        dy = full_precision(dy).reshape(lines.shape)
        dx = lines - at_pixels(mean)
        dbias = sum_pixels(dy)
        dweight = rstd * sum_pixels(dy * dx)
        dx *= at_pixels(-rstd * rstd * over_group(dweight * weight))
        dx += dy * at_pixels(rstd * weight)
        dx -= at_pixels(rstd * over_group(dbias * weight))
        return dx.reshape(x.shape).astype(x.dtype, copy=False), dweight.sum(axis=(0, 1)), dbias.sum(axis=(0, 1))

    return centred.reshape(x.shape).astype(x.dtype, copy=False), backward


@op
def layer_norm(x, weight, bias, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the last axis.

    x (..., C), weight (C), bias (C) -> y (..., C)

    Ba, Kiros & Hinton 2016, eq. 4.
    """
    xp, channels = array_module(x), x.shape[-1]
    rows = full_precision(x).reshape(-1, channels)
    average = xp.full((channels, 1), 1 / channels, rows.dtype)
    xhat, y, rstd = xp.empty_like(rows), xp.empty_like(rows), xp.empty((len(rows), 1), rows.dtype)
    parts = list(blocks(rows, BLOCK))
    for part in parts:
        centred = xp.subtract(rows[part], matmul(rows[part], average), out=xhat[part])
        rstd[part] = 1 / xp.sqrt(matmul(centred * centred, average) + eps)
        centred *= rstd[part]
        xp.multiply(centred, weight, out=y[part])
        y[part] += bias

    def backward(dy):
        # dx = rstd · (dz − mean(dz) − xhat · mean(dz · xhat)), dz = dy · weight
        dy = full_precision(dy).reshape(rows.shape)
        dx, dweight, dbias = xp.empty_like(rows), xp.zeros_like(weight, rows.dtype), xp.zeros_like(bias, rows.dtype)
        weighted = average * weight[:, None]
        for part in parts:
            product = dy[part] * xhat[part]
            dweight += column_sums(product)
            dbias += column_sums(dy[part])
            xp.multiply(dy[part], weight, out=dx[part])
            dx[part] -= matmul(dy[part], weighted)
            dx[part] -= xp.multiply(xhat[part], matmul(product, weighted), out=product)
            dx[part] *= rstd[part]
        return dx.reshape(x.shape).astype(x.dtype, copy=False), dweight, dbias

    return y.reshape(x.shape).astype(x.dtype, copy=False), backward

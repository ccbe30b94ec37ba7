"""Group and layer normalization: zero mean and unit variance, then a learned scale and shift."""

from ..backend import array_module, full_precision
from .op import op


@op
def group_norm(x, weight, bias, groups, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the pixels and channels of a group.

    x (N, H, W, C), weight (C), bias (C) -> y (N, H, W, C)

    Wu & He 2018, section 3.1.
    """
    n, height, width, channels = x.shape

    def by_group(a):
        """(N, H, W, C) -> (N, G, H·W·C/G)"""
        pixels = a.reshape(n, height * width, groups, channels // groups)
        return pixels.swapaxes(1, 2).reshape(n, groups, height * width * channels // groups)

    def by_pixel(a):
        """(N, G, H·W·C/G) -> (N, H, W, C)"""
        return a.reshape(n, groups, height * width, channels // groups).swapaxes(1, 2).reshape(x.shape)

    xhat_by_group, standardize_back = standardize(by_group(full_precision(x)), eps)
    xhat = by_pixel(xhat_by_group)

    def backward(dy):
        dy = full_precision(dy)
        dxhat = dy * weight
        dx = by_pixel(standardize_back(by_group(dxhat)))
        return dx.astype(x.dtype, copy=False), (dy * xhat).sum(axis=(0, 1, 2)), dy.sum(axis=(0, 1, 2))

    return (xhat * weight + bias).astype(x.dtype, copy=False), backward


@op
def layer_norm(x, weight, bias, eps=1e-5):
    """y = (x − mean) / √(var + eps) · weight + bias, mean and variance over the last axis.

    x (..., C), weight (C), bias (C) -> y (..., C)

    Ba, Kiros & Hinton 2016, eq. 4.
    """
    xhat, standardize_back = standardize(full_precision(x), eps)

    def backward(dy):
        dy = full_precision(dy)
        dx, rows = standardize_back(dy * weight), tuple(range(x.ndim - 1))
        return dx.astype(x.dtype, copy=False), (dy * xhat).sum(axis=rows), dy.sum(axis=rows)

    return (xhat * weight + bias).astype(x.dtype, copy=False), backward


def standardize(x, eps):
    """x̂ = (x − mean) · rstd, rstd = 1 / √(var + eps), mean and variance over the last axis.

    dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)). The two means arise because every element of x contributes to the
    mean and to the variance.
    """
    def mean(a):
        return a.mean(axis=-1, keepdims=True)

    centred = x - mean(x)
    rstd = 1 / array_module(x).sqrt(mean(centred * centred) + eps)
    xhat = centred * rstd

    def backward(dxhat):
        return rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat))

    return xhat, backward

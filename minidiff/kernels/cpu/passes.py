"""Passes over memory that several kernels use."""

from __future__ import annotations

import numpy as np

from ...backend import blocks, matmul


def column_sums(x):
    """The sum over rows as a product with ones, up to 17 times as fast as a reduction if there are few columns.

    x (M, K) -> y (K); x (..., M, K) -> y (..., 1, K)
    """
    return matmul(np.ones((1,) * (x.ndim > 2) + x.shape[-2:-1], x.dtype), x)


def tiled(x, count):
    """`x` repeated `count` times along its last axis, in a third of np.tile's time for small arrays.

    x (..., C) -> y (..., count · C)
    """
    return x[..., None, :].repeat(count, axis=-2).reshape(*x.shape[:-1], count * x.shape[-1])


def add_bias(y, bias):
    """y += bias in place, a row of pixels at a time: a few long inner loops are faster than many of length C.

    y (N, H, W, C), bias (C)
    """
    n, height, width, channels = y.shape
    y.reshape(n * height, width * channels)[...] += tiled(bias, width)


def empty(shape, *like, dtype=None):
    """A contiguous array, by default of the dtype of the first of some others; recorded on a tape if one of them is."""
    recorded = next((x for x in like if not isinstance(x, np.ndarray)), like[0])
    return np.empty_like(recorded, shape=shape, dtype=dtype or like[0].dtype, order="C")


def contiguous(x):
    return x if x.flags.c_contiguous else x.copy()


def strided(x, shape, strides):
    """A view of a contiguous array by other strides."""
    return np.ndarray(shape, x.dtype, x, strides=strides) if isinstance(x, np.ndarray) else x.strided(shape, strides)


def in_blocks(function, size, *arrays):
    """function(*arrays), block by block along their first axis; `function` must treat each row on its own.

    Blocks of the first array have about `size` elements, so that all passes of `function` but the first find them in
    the cache.
    """
    first, *others = blocks(arrays[0], size) if arrays[0].size > size else (slice(None),)
    y = function(*(x[first] for x in arrays))
    if not others:
        return y
    whole = empty((len(arrays[0]), *y.shape[1:]), y)
    whole[first] = y
    for part in others:
        whole[part] = function(*(x[part] for x in arrays))
    return whole

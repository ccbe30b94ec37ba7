"""Group norm from sums per channel, which are products with ones.

Rows of pixels are added up first, then the pixels of their sum: two short sums in float32 are more exact than a long
one. The sums are combined into the statistics of groups on small (N, 1, C) arrays; the large array is only read, scaled
and shifted, a row of pixels at a time. Backward recomputes x̂, which is cheap, instead of keeping it.

Time: 0.19, 0.41.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import full_precision
from .. import replaces
from .passes import column_sums, tiled


@replaces(ops.group_norm)
def group_norm(x, weight, bias, groups, eps=1e-5):
    n, height, width, channels = x.shape
    rows = full_precision(x).reshape(n, height, width * channels)

    def group_mean(sums):
        """(N, 1, C) sums per channel -> (N, 1, C) mean over the elements of the channel's group."""
        of_group = channels // groups
        means = sums.reshape(n, groups, of_group).sum(axis=-1, keepdims=True) / (height * width * of_group)
        return means.repeat(of_group, axis=-1).reshape(n, 1, channels)

    def sum_pixels(a):
        """(N, H, W·C) -> (N, 1, C)"""
        return column_sums(column_sums(a).reshape(n, width, channels))

    def at_pixels(a):
        """(N, 1, C) or (C) -> a value for each element of a row of pixels."""
        return tiled(a, width)

    mean = group_mean(sum_pixels(rows))
    centred = rows - at_pixels(mean)
    rstd = 1 / np.sqrt(group_mean(sum_pixels(centred * centred)) + eps)
    centred *= at_pixels(rstd * weight)
    centred += at_pixels(bias)

    def backward(dy):
        # dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)) with dx̂ = dy · weight and x̂ = rstd · (x − mean)
        dy = full_precision(dy).reshape(rows.shape)
        dx = rows - at_pixels(mean)
        dbias = sum_pixels(dy)
        dweight = rstd * sum_pixels(dy * dx)
        dx *= at_pixels(-rstd * rstd * group_mean(dweight * weight))
        dx += dy * at_pixels(rstd * weight)
        dx -= at_pixels(rstd * group_mean(dbias * weight))
        return dx.reshape(x.shape).astype(x.dtype, copy=False), dweight.sum(axis=(0, 1)), dbias.sum(axis=(0, 1))

    return centred.reshape(x.shape).astype(x.dtype, copy=False), backward

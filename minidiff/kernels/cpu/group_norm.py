"""Group norm from sums per channel, which are products with ones.

A group's statistics are combined on tiny (N, C) arrays, and the large array is only read, scaled and shifted, a row of
pixels at a time. x̂ is cheap to rebuild and is not kept.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import full_precision
from ...ops import replaces
from .passes import column_sums, tiled


@replaces(ops.group_norm)
def group_norm(x, weight, bias, groups, eps=1e-5):
    n, height, width, channels = x.shape
    lines = full_precision(x).reshape(n, height, width * channels)

    def over_group(sums):
        """(N, 1, C) sums per channel -> their mean over the group, at every channel."""
        means = sums.reshape(n, groups, -1).sum(axis=-1, keepdims=True) / (height * width * (channels // groups))
        return means.repeat(channels // groups, axis=-1).reshape(n, 1, channels)

    def sum_pixels(a):
        return column_sums(a.reshape(n, height * width, channels))

    def at_pixels(a):
        """(N, 1, C) or (C) -> one value for each element of a line."""
        return tiled(a, width)

    mean = over_group(sum_pixels(lines))
    centred = lines - at_pixels(mean)
    rstd = 1 / np.sqrt(over_group(sum_pixels(centred * centred)) + eps)
    centred *= at_pixels(rstd * weight)
    centred += at_pixels(bias)

    def backward(dy):
        # dx = rstd · (dx̂ − mean(dx̂) − x̂ · mean(dx̂ · x̂)) with dx̂ = dy · weight, and x̂ = rstd · (x − mean) rebuilt
        dy = full_precision(dy).reshape(lines.shape)
        dx = lines - at_pixels(mean)
        dbias = sum_pixels(dy)
        dweight = rstd * sum_pixels(dy * dx)
        dx *= at_pixels(-rstd * rstd * over_group(dweight * weight))
        dx += dy * at_pixels(rstd * weight)
        dx -= at_pixels(rstd * over_group(dbias * weight))
        return dx.reshape(x.shape).astype(x.dtype, copy=False), dweight.sum(axis=(0, 1)), dbias.sum(axis=(0, 1))

    return centred.reshape(x.shape).astype(x.dtype, copy=False), backward

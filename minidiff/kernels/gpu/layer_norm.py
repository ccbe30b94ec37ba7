"""Layer norm in one launch forward and three backward: dx, sums over runs of rows, and their sum."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .column_sums import column_sums
from .launch import launch, real

WARP = 32      # threads, which take a row
THREADS = 128  # of a block
RUN = 256      # rows whose gradients of weight and bias a block sums


@replaces(ops.layer_norm)
def layer_norm(x, weight, bias, eps=1e-5):
    xp = array_module(x)
    channels = x.shape[-1]
    rows = x.size // channels
    block = WARP, THREADS // WARP
    grid = -(-rows // block[1])
    y, statistics = xp.empty(x.shape, x.dtype), xp.empty((rows, 2), real(x.dtype))
    launch("layer_norm.cu", "layer_norm", grid, block, x, weight, bias, y, statistics, rows, channels, eps)

    def backward(dy):
        runs = -(-rows // RUN)
        dx, sums = xp.empty(x.shape, x.dtype), xp.empty((runs, 2, channels), statistics.dtype)
        launch("layer_norm.cu", "layer_norm_dx", grid, block, x, dy, weight, statistics, dx, rows, channels)
        launch("layer_norm.cu", "layer_norm_sums", (-(-channels // 32), runs), (32, 8), x, dy, statistics, sums,
               rows, channels, RUN)
        return dx, *column_sums(sums.reshape(runs, -1)).reshape(2, channels)

    return y, backward

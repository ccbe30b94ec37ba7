"""Softmax along the last axis in one launch each way."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

WARP = 32      # threads, which take a row
THREADS = 128  # of a block


@replaces(ops.softmax, when=lambda x, axis=-1: axis in (-1, x.ndim - 1))
def softmax(x, axis=-1):
    xp, columns = array_module(x), x.shape[-1]
    rows = x.size // columns
    block = WARP, THREADS // WARP
    grid = -(-rows // block[1])
    y = xp.empty(x.shape, x.dtype)
    launch("softmax.cu", "softmax", grid, block, x, y, rows, columns)

    def backward(dy):
        dx = xp.empty(x.shape, x.dtype)
        launch("softmax.cu", "softmax_backward", grid, block, y, dy, dx, rows, columns)
        return dx

    return y, backward

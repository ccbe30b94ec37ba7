"""Attention in one launch forward and two backward, without stored scores and without copies of heads."""

from __future__ import annotations

import math

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch, real

THREADS = 128        # of a block
ELEMENTS = 16        # of a head's row that a thread holds at most: four rows in registers, also in float64
SHARED = 32 << 10    # bytes of shared memory for two tiles; every GPU has 48 KiB


def fits(q, k, v, heads, causal=False):
    return q.shape[-1] // heads <= 32 * ELEMENTS


@replaces(ops.attention, when=fits)
def attention(q, k, v, heads, causal=False):
    xp = array_module(q)
    (n, queries, channels), keys = q.shape, k.shape[1]
    constants = shape_of_block(channels // heads, real(q.dtype).itemsize)
    block = constants["LANES"], THREADS // constants["LANES"]
    sizes = queries, keys, heads, int(causal), math.sqrt(heads / channels)
    y, logsums = xp.empty(q.shape, q.dtype), xp.empty((n, heads, queries), real(q.dtype))

    def run(kernel, rows, *arrays):
        launch("attention.cu", kernel, (-(-rows // block[1]), heads, n), block, *arrays, *sizes, **constants)

    run("attention", queries, q, k, v, y, logsums)

    def backward(dy):
        dq, dk, dv = (xp.empty(x.shape, x.dtype) for x in (q, k, v))
        deltas = xp.empty(logsums.shape, logsums.dtype)
        run("attention_dq", queries, q, k, v, y, dy, logsums, deltas, dq)
        run("attention_dk_dv", keys, q, k, v, dy, logsums, deltas, dk, dv)
        return dq, dk, dv

    return y, backward


def shape_of_block(width, itemsize):
    """What attention.cu must know of a head of `width` elements: threads for each row, and rows of a tile."""
    lanes = 1 << max(0, math.ceil(math.log2(width / ELEMENTS)))
    padded = lanes * -(-width // lanes)
    tile = 1 << min(5, int(math.log2(SHARED / (2 * padded * itemsize))))
    return {"E": width, "LANES": lanes, "TILE": tile}

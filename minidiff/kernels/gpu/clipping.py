"""The norm of a gradient and the scale that clips it, in two launches and one pass."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch, real

THREADS = 256   # of a block
BLOCKS = 1024   # at most: they fill the largest GPUs, and one block soon adds up their sums


@replaces(ops.clipping)
def clipping(g, clip):
    xp, blocks = array_module(g), min(BLOCKS, -(-g.size // THREADS))
    sums, norm, scale = xp.empty(blocks, real(g.dtype)), xp.empty((), g.dtype), xp.empty((), g.dtype)
    launch("clipping.cu", "squares", blocks, THREADS, g, sums, g.size)
    launch("clipping.cu", "clipping", 1, THREADS, sums, norm, scale, blocks, float(clip), like=g)
    return norm, scale

"""The moving average of parameters in one launch. `decay` may be a number or an array () on the device."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

THREADS = 256   # of a block
BLOCKS = 2048   # at most


@replaces(ops.follow, when=lambda average, w, decay: average.flags.c_contiguous)
def follow(average, w, decay):
    launch("average.cu", "follow", min(BLOCKS, -(-w.size // THREADS)), THREADS, average, w,
           array_module(w).asarray(decay, "float64"), w.size)

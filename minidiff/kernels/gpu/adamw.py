"""AdamW with clipping and a moving average in one launch. Its numbers may be arrays () on the device."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

THREADS = 256   # of a block
BLOCKS = 2048   # at most: they fill the largest GPUs, and each computes its own bias corrections


def fits(w, g, m, v, *args, average=None, **options):
    return average is not None and all(x.flags.c_contiguous for x in (w, m, v, average))


@replaces(ops.adamw, when=fits)
def adamw(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay, *, scale=1.0, average=None, decay=0.0):
    xp = array_module(w)
    numbers = (xp.asarray(number, "float64") for number in (step, lr, decay))
    launch("adamw.cu", "adamw", min(BLOCKS, -(-w.size // THREADS)), THREADS, w, g, m, v, average,
           xp.asarray(scale, w.dtype), *numbers, w.size, beta1, beta2, eps, weight_decay)

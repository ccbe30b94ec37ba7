"""AdamW's update in one launch. `step` and `lr` may be numbers or arrays () on the device."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

THREADS = 256   # of a block
BLOCKS = 2048   # at most: they fill the largest GPUs, and each computes its own bias corrections


@replaces(ops.adamw)
def adamw(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay):
    xp = array_module(w)
    step, lr = xp.asarray(step, "float64"), xp.asarray(lr, "float64")
    launch("adamw.cu", "adamw", min(BLOCKS, -(-w.size // THREADS)), THREADS, w, g, m, v, step, lr, w.size,
           beta1, beta2, eps, weight_decay)

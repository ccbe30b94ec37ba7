"""One update of all parameters: clip the gradient, apply the optimizer, let the moving average follow."""

from __future__ import annotations

import math

from ..ops import clipping
from .flat import Flat


def update_parameters(flat: Flat, optimizer, average, step: int, lr: float, clip: float = math.inf,
                      average_decay: float = 0.0, run=map):
    """g ← g · min(1, clip / ‖g‖),  w ← the optimizer's update,  a ← a + (1 − d) (w − a); returns ‖g‖, a 0-d array.

    `step` counts from 1. On a GPU it, `lr` and `average_decay` are arrays (), which a recorded step reads anew each
    time. All three changes happen part by part: on a CPU these are blocks, which stay in the cache, and on a GPU AdamW
    makes them in one launch. Parts don't depend on one another: `run(function, parts)` is `map`, or the map of a thread
    pool.
    """
    norm, scale = clipping(flat.grad, clip)

    def update(part):
        optimizer.update(part, flat.value[part], flat.grad[part], average[part], scale, step, lr, average_decay)

    for _ in run(update, optimizer.parts):
        pass
    return norm

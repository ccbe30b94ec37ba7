"""One update of all parameters: clip the gradient, apply the optimizer, let the moving average follow."""

from __future__ import annotations

import math

from ..backend import array_module
from ..ops import follow
from .flat import Flat


def update_parameters(flat: Flat, optimizer, average, step: int, lr: float, clip: float = math.inf,
                      average_decay: float = 0.0, run=map):
    """g ← g · min(1, clip / ‖g‖),  w ← the optimizer's update,  a ← a + (1 − d) (w − a); returns ‖g‖, a 0-d array.

    `step` counts from 1. On a GPU it, `lr` and `average_decay` are arrays (), which a recorded step reads anew each
    time. All three changes happen block by block, while the block is in the cache. Blocks don't depend on one another:
    `run(function, blocks)` is `map`, or the map of a thread pool.
    """
    xp = array_module(flat.value)
    norm = xp.linalg.norm(flat.grad)
    scale = xp.minimum(1.0, clip / (norm + 1e-6)).astype(norm.dtype)

    def update(part):
        w = flat.value[part]
        optimizer.update(part, w, flat.grad[part] * scale, step, lr)
        follow(average[part], w, average_decay)

    for _ in run(update, optimizer.parts):
        pass
    return norm

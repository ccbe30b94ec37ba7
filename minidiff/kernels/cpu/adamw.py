"""AdamW's update with fewer temporary arrays.

Time: 0.8 for 3.6 M parameters, clipping and moving average included.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from .. import replaces


@replaces(ops.adamw)
def adamw(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay, *, scale=1.0, average=None, decay=0.0):
    """w ← w − lr (m̂ / (√v̂ + ε) + λ w): see ops/adamw.py.

    β m + (1 − β) g is computed as m + (1 − β) (g − m), and the bias corrections as factors of whole blocks.
    """
    g = scale * g
    m += (1 - beta1) * (g - m)
    change = np.multiply(g, g, out=np.empty_like(v))  # an array even of no axes, where g * g is a number
    change -= v
    change *= 1 - beta2
    v += change
    np.multiply(v, 1 / (1 - beta2**step), out=change)
    np.sqrt(change, out=change)
    change += eps
    np.divide(m, change, out=change)
    change *= lr / (1 - beta1**step)
    change += (lr * weight_decay) * w
    w -= change
    if average is not None:
        ops.follow(average, w, decay)

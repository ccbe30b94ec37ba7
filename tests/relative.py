"""How far two arrays are apart, in the one norm of all comparisons with other software."""

from __future__ import annotations

import numpy as np


def relative(ours, theirs, floor=0.0):
    """‖ours − theirs‖ / max(‖theirs‖, floor)"""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), floor, 1e-300))

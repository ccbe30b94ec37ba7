"""Results are compared before they are timed."""

from __future__ import annotations

import numpy as np


class Different(Exception):
    """Two runtimes disagree, so they do not compute the same thing and are not timed."""


def check(what: str, ours, theirs, tolerance: float, floor: float = 0.0) -> float:
    """‖ours − theirs‖ / max(‖theirs‖, floor). Raises Different if that is above the tolerance."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape:
        raise Different(f"{what}: shapes {ours.shape} and {theirs.shape}")
    difference = float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), floor, 1e-300))
    if not difference <= tolerance:
        raise Different(f"{what}: results differ by {difference:.1e}, more than {tolerance:.0e}")
    return difference

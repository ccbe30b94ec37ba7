"""What changes from step to step: the learning rate, and the decay of the parameters' moving average."""

from __future__ import annotations


def learning_rate(step: int, total: int, peak: float, warmup: int, falling: float = 0.2, floor: float = 0.02) -> float:
    """Linear warm-up to `peak`, constant until the last fraction `falling` of the steps, then linear to `floor` · peak.

    Until it falls, the rate does not depend on `total`, so a run can still be lengthened (Hägele et al., 2405.18392,
    section 3). A cosine falls from the start, and leaves less time to learn what is learned late.
    """
    return peak * min((step + 1) / max(1, warmup), 1 - (1 - floor) * fallen(step, total, warmup, falling))


def fallen(step: int, total: int, warmup: int, falling: float = 0.2) -> float:
    """How far the learning rate has fallen: 0 before the last fraction `falling` of the steps, 1 at the end."""
    left = (total - step) / max(1.0, falling * (total - warmup))
    return 1 - min(1.0, max(0.0, left))


def average_decay(step: int, longest: float) -> float:
    """The decay of the moving average: (1 + step) / (10 + step), a short average at first, then at most `longest`."""
    return min(longest, (1 + step) / (10 + step))

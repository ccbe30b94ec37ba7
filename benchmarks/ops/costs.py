"""What an op costs at least: bytes that it must read and write, and with its products, the time of the ceilings."""

from __future__ import annotations

import math

from ..measure.ceilings import Ceilings
from ..measure.timing import Timing


def traffic(arrays, ys, gradients, backward: bool) -> int:
    """Bytes: forward reads the arguments and writes y, backward reads them and dy and writes the gradients."""
    parts = [*arrays, *ys, *([grad for grad in gradients if grad is not None] if backward else [])]
    return sum(math.prod(part.shape) * part.dtype.itemsize for part in parts)


def rates(times: dict[str, Timing], operations: int, count: int, ceilings: dict[str, Ceilings]) -> dict[str, dict]:
    """By runtime, at its median time: operations and bytes a second, and how near it comes to its device's ceiling."""
    seconds = {name: time.median for name, time in times.items()}
    return {
        "GFLOP/s": {name: operations / time / 1e9 for name, time in seconds.items()},
        "GB/s": {name: count / time / 1e9 for name, time in seconds.items()},
        "fraction of ceiling": {name: ceilings[name].seconds(operations, count) / time for name, time in seconds.items()
                             if name in ceilings}}

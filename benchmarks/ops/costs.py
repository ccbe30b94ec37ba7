"""What an op costs at least: bytes that it must read and write, and with its products, the time of the ceilings."""

from __future__ import annotations

import numpy as np

from ..measure.ceilings import Ceilings
from ..measure.timing import Timing

MOVES = {"concat", "split", "patchify", "upsample_nearest", "embedding"}  # elements: backward reads no argument


def traffic(case, arrays, ys, dys, gradients) -> dict[str, int]:
    """Bytes: forward reads the arguments and writes y, backward reads dy and the arguments and writes the gradients."""
    name = case.op.__name__
    if name == "embedding":
        table, ids = arrays
        arrays = [table[np.unique(ids)], ids]
    return {"forward": moved(arrays, ys), "backward": moved([*dys, *([] if name in MOVES else arrays)], gradients)}


def moved(read, written) -> int:
    """Views are not written, and if all are views, nothing is read."""
    written = [y for y in written if y is not None and not any(np.may_share_memory(x, y) for x in read)]
    return sum(array.nbytes for array in (*read, *written)) if written else 0


def rates(times: dict[str, Timing], operations: int, count: int, ceilings: dict[str, Ceilings]) -> dict[str, dict]:
    """By runtime, at its median time: operations and bytes a second, and how near it comes to its device's ceiling.

    What moves no bytes has none of these.
    """
    if not count:
        return {}
    seconds = {name: time.median for name, time in times.items()}
    return {
        "GFLOP/s": {name: operations / time / 1e9 for name, time in seconds.items()},
        "GB/s": {name: count / time / 1e9 for name, time in seconds.items()},
        "fraction of ceiling": {name: ceilings[name].seconds(operations, count) / time for name, time in seconds.items()
                             if name in ceilings}}

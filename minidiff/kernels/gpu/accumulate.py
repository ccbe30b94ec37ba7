"""Many additions in place by one launch, where each alone would be a launch of its own."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import address, launch

THREADS = 256  # of a block
BLOCKS = 64    # for each pair at most
PAIRS = 128    # of a launch: 3 KiB of its arguments

PAIR = np.dtype([("total", np.uint64), ("part", np.uint64), ("size", np.int64)])


def fits(*arrays):
    """True if no array is broadcast or written with gaps."""
    return all(total.flags.c_contiguous and total.shape == part.shape
               for total, part in zip(arrays[::2], arrays[1::2], strict=True))


@replaces(ops.accumulate, when=fits)
def accumulate(*arrays):
    xp = array_module(arrays[0])
    parts = [xp.ascontiguousarray(part, total.dtype) for total, part in zip(arrays[::2], arrays[1::2], strict=True)]
    for dtype in {total.dtype for total in arrays[::2]}:
        pairs = [pair for pair in zip(arrays[::2], parts, strict=True) if pair[0].dtype == dtype]
        for some in apart(pairs):
            table = np.zeros(1, np.dtype([("pairs", PAIR, PAIRS)]))
            table["pairs"][0, : len(some)] = [(address(total), address(part), part.size) for total, part in some]
            largest = max(part.size for _, part in some)
            launch("accumulate.cu", "accumulate", (min(BLOCKS, -(-largest // THREADS)), len(some)), THREADS,
                   table, like=some[0][0], PAIRS=PAIRS)


def apart(pairs):
    """The pairs in lists of at most PAIRS, in none of which two add to the same array, for they run at once."""
    found = []
    for total, part in pairs:
        free = (some for some in found if len(some) < PAIRS and address(total) not in some)
        chosen = next(free, None)
        if chosen is None:
            found.append(chosen := {})
        chosen[address(total)] = total, part
    return [list(some.values()) for some in found]

"""What an op computes, in float64, and how many operations its matrix products take: no table has to know either."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidiff.ops import plain

from ..measure.products import counted
from .runs import in_tuple


class Reference(NamedTuple):
    ys: tuple
    gradients: tuple
    operations: dict[str, int]  # of matrix products, forward and backward


def reference(case, arrays, dys) -> Reference:
    """The results that those of all runtimes are compared with. Operations are those of the plain form."""
    arrays, dys = ([array.astype(np.float64) if array.dtype.kind == "f" else array for array in part]
                   for part in (arrays, dys))
    with plain():
        with counted() as forward:
            y, back = case(*arrays)
        with counted() as backward:
            gradients = back(tuple(dys) if len(dys) > 1 else dys[0])
    return Reference(in_tuple(y), in_tuple(gradients), {"forward": sum(forward), "backward": sum(backward)})

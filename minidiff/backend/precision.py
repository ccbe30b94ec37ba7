"""Half precision is for storage and matrix products; statistics, softmax and losses are computed in float32."""

from __future__ import annotations

import numpy as np


def full_precision(x):
    """`x`, or a float32 copy if `x` is in half precision, whose range and precision are too small for sums."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x

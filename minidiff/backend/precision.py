"""Half precision is for storage and products: statistics, softmax and losses are computed in float32."""

from __future__ import annotations

import numpy as np


def full_precision(x):
    """`x` itself, or in float32 if it is in half precision, which has too little range and too few digits for sums."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x

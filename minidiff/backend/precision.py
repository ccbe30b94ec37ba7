"""Half precision is for storage and matrix products; statistics, softmax and losses are computed in float32."""

from __future__ import annotations

import numpy as np

from ..errors import UserError


def full_precision(x):
    """`x`, or a float32 copy if `x` is in half precision, whose range and precision are too small for sums."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def check_precision(name: str, device: str) -> None:
    """Raises UserError where products are to round their factors, and are not computed on a GPU."""
    if name != "float32" and device == "cpu":
        raise UserError(f"precision {name} is that of products on a GPU: use float32 on a CPU")

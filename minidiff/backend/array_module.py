"""The library behind an array: NumPy on a CPU, CuPy on a GPU."""

from __future__ import annotations

import sys

import numpy as np


def array_module(x):
    """The module (`numpy` or `cupy`) that made `x`. Costs nothing where CuPy was never imported."""
    cupy = sys.modules.get("cupy")
    return np if cupy is None else cupy.get_array_module(x)

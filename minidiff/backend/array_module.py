"""The library behind an array: NumPy on a CPU, CuPy on a GPU."""

from __future__ import annotations

import sys

import numpy as np


def array_module(x):
    """The module that `x` belongs to, `numpy` or `cupy`; CuPy is not imported just to find out."""
    cupy = sys.modules.get("cupy")
    return np if cupy is None else cupy.get_array_module(x)

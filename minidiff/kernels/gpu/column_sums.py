"""Sums over thousands of rows, as gradients of biases are: of 32 columns CuPy's sum has one block add all rows."""

from __future__ import annotations

from ...backend import array_module
from .launch import launch, real

COLUMNS = 32  # of a block, as in column_sums.cu
ROWS = 8      # threads of a block for each of them
RUN = 128     # rows that a block adds, at least
LAST = 512    # rows that it adds if it is the last to do so: they take as long as another launch


def column_sums(x):
    """x (N, C) -> y (C), of half precision in float32"""
    xp, (rows, columns) = array_module(x), x.shape
    runs = 1 if rows <= LAST else min(LAST, -(-rows // RUN))
    y = xp.empty((runs, columns), real(x.dtype))
    launch("column_sums.cu", "column_sums", (-(-columns // COLUMNS), runs), (COLUMNS, ROWS), x, y, rows, columns,
           -(-rows // runs))
    return y[0] if runs == 1 else column_sums(y)

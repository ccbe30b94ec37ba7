"""Compiling the kernels of a .cu file, and launching them.

    launch("softmax.cu", "softmax", blocks, (32, 4), x, y, rows, columns)

The dtype of the first array, or of `like`, is the kernel's type T: see elements.cuh, which stands before each source.
An int is passed as int, a float as double, a structured array of one element as that struct. Constants known to the
compiler, `E=40`, are macros of that name.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from ...backend import array_module

FOLDER = Path(__file__).parent


def launch(file, kernel, grid, block, *arguments, like=None, **constants):
    """Run a kernel with `grid` blocks of `block` threads each, both a size or a tuple of up to three.

    Arrays are passed as dense ones, by a copy where need be; those that the kernel writes must be dense. Their dtypes
    must be those of the kernel's parameters, which nothing checks. No blocks, no launch: CuPy would start one.
    """
    if 0 in as_tuple(grid):
        return
    like = arguments[0] if like is None else like
    xp, constants = array_module(like), constants | {"BYTES": like.dtype.itemsize}
    function = compiled(xp, file, kernel, tuple(f"-D{name}={value}" for name, value in constants.items()))
    function(as_tuple(grid), as_tuple(block), tuple(as_argument(xp, value) for value in arguments))


@functools.cache
def compiled(xp, file, kernel, definitions):
    """A function (grid, block, arguments) that launches a kernel on the current stream."""
    return xp.RawModule(code=source(file), options=("--std=c++17", *definitions)).get_function(kernel)


def source(file):
    return "".join((FOLDER / name).read_text("utf-8") for name in ("elements.cuh", file))


def as_tuple(size):
    return size if isinstance(size, tuple) else (size,)


def as_argument(xp, value):
    if isinstance(value, int):
        return np.int32(value)
    if isinstance(value, float):
        return np.float64(value)
    return value if value.flags.c_contiguous else xp.ascontiguousarray(value)


def real(dtype):
    """The dtype of the kernels' type Real: float64 of float64, else float32."""
    return np.promote_types(dtype, np.float32)


def address(x):
    """Where the elements of an array begin in memory."""
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr

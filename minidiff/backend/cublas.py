"""Matrix products on a GPU: cuBLAS through a handle of our own.

CuPy's matmul refuses to be recorded into a CUDA graph, copies transposed operands of a stack, multiplies stacks of
float16 in float32, and knows TF32 for single matrices only. One function of cuBLAS does all of it as it is:

    y[i] = a[i] b[i],  a[i] = a + i · stride,  transposed or not, a stride of 0 for a matrix that all of them share

cuBLAS counts columns first, so that a row-major y = a b is its yᵀ = bᵀ aᵀ: the operands change places.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import itertools
import math
import operator
import threading

import numpy as np

TYPES = {"f": 0, "d": 1, "e": 2}           # dtype.char -> cudaDataType_t
COMPUTE = {"float32": 68, "tf32": 77, "bf16": 75, "float64": 70}       # cublasComputeType_t: how float32 is multiplied
NO_HALF_SUMS = 16                          # cublasMath_t: parts of a product of float16 are added in float32, too
WORKSPACE = 32 << 20                       # bytes, as NVIDIA advises for an H100

_precision = contextvars.ContextVar("precision of products", default="float32")


@contextlib.contextmanager
def product_precision(name: str):
    """Within this context, products of float32 on a GPU round their factors to 'tf32' (10 bits) or 'bf16' (7 bits).

    Sums stay in float32, as do products of half precision. The default, 'float32', rounds nothing.
    """
    if name not in ("float32", "tf32", "bf16"):
        raise ValueError(f"unknown precision {name!r}: use float32, tf32 or bf16")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


def current_precision() -> str:
    return _precision.get()


class CuBLAS:
    """The library with one handle, to be used by one thread on one device. Raises RuntimeError if it is not found."""

    def __init__(self):
        from cuda import pathfinder

        library = ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("cublas").abs_path)
        integer, pointer, stride = ctypes.c_int, ctypes.c_void_p, ctypes.c_longlong
        operand = [pointer, integer, integer, stride]
        self.set_stream, self.set_workspace = library.cublasSetStream_v2, library.cublasSetWorkspace_v2
        self.gemm = library.cublasGemmStridedBatchedEx
        self.gemm.argtypes = [pointer, *[integer] * 5, pointer, *operand, *operand, pointer, *operand, *[integer] * 3]
        self.handle, self.stream, self.workspaces = pointer(), None, {}
        check(library.cublasCreate_v2(ctypes.byref(self.handle)))
        check(library.cublasSetMathMode(self.handle, NO_HALF_SUMS))
        kinds = ctypes.c_float, ctypes.c_double
        self.one_and_zero = [(ctypes.byref(kind(1)), ctypes.byref(kind(0))) for kind in kinds]

    def work_on(self, stream: int) -> None:
        """Each stream has its own workspace, since two may run at once. Setting a stream resets the workspace."""
        import cupy

        if stream not in self.workspaces:
            with cupy.cuda.using_allocator(None):  # not from a graph's pool, which is to be given back
                self.workspaces[stream] = cupy.empty(WORKSPACE, np.uint8)
        check(self.set_stream(self.handle, ctypes.c_void_p(stream)))
        check(self.set_workspace(self.handle, ctypes.c_void_p(self.workspaces[stream].data.ptr),
                                 ctypes.c_size_t(WORKSPACE)))
        self.stream = stream

    def multiply(self, count, m, k, n, a, b, y, dtype, out_dtype) -> None:
        """y[i] = a[i] b[i] for `count` matrices; a, b and y are operands of `calls`."""
        import cupy

        stream = cupy.cuda.get_current_stream().ptr
        if stream != self.stream:
            self.work_on(stream)
        one, zero = self.one_and_zero[dtype == "d"]
        compute = "float64" if dtype == "d" else _precision.get() if dtype == "f" else "float32"
        a_at, a_rows, a_flip, a_stride = a
        b_at, b_rows, b_flip, b_stride = b
        y_at, y_rows, _, y_stride = y
        check(self.gemm(self.handle, b_flip, a_flip, n, m, k, one, b_at, TYPES[dtype], b_rows, b_stride,
                        a_at, TYPES[dtype], a_rows, a_stride, zero, y_at, TYPES[out_dtype], y_rows, y_stride,
                        count, COMPUTE[compute], -1))


def matmul(a, b, out=None):
    """a b for two CuPy arrays, as of cupy.matmul; None where that has to do it: for integers, vectors, wrong shapes."""
    import cupy

    dtype, (m, k), n = a.dtype.char, a.shape[-2:] if a.ndim > 1 else (0, 0), b.shape[-1]
    if dtype not in TYPES or b.dtype.char != dtype or min(a.ndim, b.ndim) < 2 or b.shape[-2] != k:
        return None
    lead = a.shape[:-2] if a.shape[:-2] == b.shape[:-2] else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = cupy.empty((*lead, m, n), a.dtype) if out is None else out
    if y.shape != (*lead, m, n) or y.dtype.char not in (dtype, "f" if dtype == "e" else dtype):
        return None
    if y.size == 0 or k == 0:
        y[...] = 0
        return y
    target = y if out is None or (layout(y) or (0, 1))[1] == 0 else cupy.empty(y.shape, y.dtype)
    a, b = (x if layout(x) else cupy.ascontiguousarray(x) for x in (a, b))
    if lead and b.ndim == 2 and a.flags.c_contiguous and target.flags.c_contiguous:  # one long product
        lead, m = (), y.size // n
    multiply = own().multiply
    for count, operands in calls((a, b, target), lead):
        multiply(count, m, k, n, *operands, dtype, target.dtype.char)
    if target is not y:
        y[...] = target
    return y


def calls(arrays, lead):
    """(count, operands) of each call that a product takes.

    An operand is (address, distance of rows, transposed, distance of matrices), with distances in elements. Matrices at
    one distance take one call, and others one for each index of the axes beside the longest.
    """
    if not lead:
        yield 1, [(x.data.ptr, *layout(x), 0) for x in arrays]
        return
    strides = [lead_strides(x, lead) for x in arrays]
    axes = batched(lead, strides)
    count, steps = math.prod([lead[axis] for axis in axes]), [of[axes[-1]] if axes else 0 for of in strides]
    for index in itertools.product(*(range(1 if axis in axes else size) for axis, size in enumerate(lead))):
        yield count, [(x.data.ptr + sum(map(operator.mul, index, of)), *layout(x), step // x.itemsize)
                      for x, of, step in zip(arrays, strides, steps, strict=True)]


def layout(x):
    """(distance of rows, 0) of an array with dense rows, (distance of columns, 1) with dense columns, or None."""
    size, (height, width), (rows, columns) = x.itemsize, x.shape[-2:], x.strides[-2:]
    if (columns == size or width == 1) and (rows >= width * size or height == 1):
        return max(rows // size, width), 0
    if (rows == size or height == 1) and (columns >= height * size or width == 1):
        return max(columns // size, height), 1
    return None


def lead_strides(x, lead):
    """The bytes from one matrix of `x` to the next along each axis of `lead`, 0 along which they are the same."""
    own = [0 if size == 1 else stride for size, stride in zip(x.shape[:-2], x.strides, strict=False)]
    return [0] * (len(lead) - len(own)) + own


def batched(lead, strides):
    """The axes whose matrices are multiplied by one call: all if they are at one distance, else the longest axis."""
    axes = [axis for axis, size in enumerate(lead) if size > 1]
    if all(of[i] == of[j] * lead[j] for of in strides for i, j in itertools.pairwise(axes)):
        return axes
    return [max(axes, key=lambda axis: lead[axis])]


def check(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLAS failed with status {status}: see cublasStatus_t")


def own() -> CuBLAS:
    """The handle of this thread on the current device."""
    import cupy

    return handle_of(cupy.cuda.runtime.getDevice(), threading.get_ident())


@functools.cache
def handle_of(device: int, thread: int) -> CuBLAS:
    return CuBLAS()

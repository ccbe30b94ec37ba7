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
import math
import threading

import numpy as np

TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}     # cudaDataType_t
COMPUTE = {"float32": 68, "tf32": 77, "bf16": 75, "float64": 70}       # cublasComputeType_t: how float32 is multiplied
WORKSPACE = 32 << 20                                                   # bytes, as NVIDIA advises for an H100

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
        self.one_and_zero = {kind: (kind(1), kind(0)) for kind in (ctypes.c_float, ctypes.c_double)}

    def work_on(self, stream: int) -> None:
        """Each stream has its own workspace, since two may run at once. Setting a stream resets the workspace."""
        import cupy

        if stream not in self.workspaces:
            self.workspaces[stream] = cupy.empty(WORKSPACE, np.uint8)
        check(self.set_stream(self.handle, ctypes.c_void_p(stream)))
        check(self.set_workspace(self.handle, ctypes.c_void_p(self.workspaces[stream].data.ptr),
                                 ctypes.c_size_t(WORKSPACE)))
        self.stream = stream

    def products(self, a, b, y) -> None:
        """y[i] = a[i] b[i] for stacks (N, M, K), (N, K, O), (N, M, O) of matrices that cuBLAS can read as they are."""
        import cupy

        stream = cupy.cuda.get_current_stream().ptr
        if stream != self.stream:
            self.work_on(stream)
        wide = y.dtype.itemsize == 8
        one, zero = map(ctypes.byref, self.one_and_zero[ctypes.c_double if wide else ctypes.c_float])
        compute = "float64" if wide else _precision.get() if a.dtype.itemsize == 4 else "float32"
        (a_rows, a_flip), (b_rows, b_flip), (y_rows, _) = map(layout, (a, b, y))
        check(self.gemm(self.handle, b_flip, a_flip, y.shape[2], y.shape[1], a.shape[2],
                        one, b.data.ptr, TYPES[b.dtype.name], b_rows, stack_stride(b),
                        a.data.ptr, TYPES[a.dtype.name], a_rows, stack_stride(a),
                        zero, y.data.ptr, TYPES[y.dtype.name], y_rows, stack_stride(y),
                        len(y), COMPUTE[compute], -1))


def matmul(a, b, out=None):
    """a b for two CuPy arrays, as of cupy.matmul, for anything that cuBLAS can multiply; None for all else."""
    import cupy

    dtype = np.result_type(a.dtype, b.dtype)
    written = dtype if out is None else out.dtype
    if min(a.ndim, b.ndim) < 2 or dtype.name not in TYPES or not (written == dtype or (
            dtype.itemsize == 2 and written == np.float32)):
        return None
    lead = a.shape[:-2] if a.shape[:-2] == b.shape[:-2] else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = cupy.empty((*lead, a.shape[-2], b.shape[-1]), dtype) if out is None else out
    if y.size == 0 or a.shape[-1] == 0:
        y[...] = 0
        return y
    target = y if layout(y) and not layout(y)[1] else cupy.empty(y.shape, y.dtype)
    a, b = (x.astype(dtype, copy=False) for x in (a, b))
    a, b = (x if layout(x) else cupy.ascontiguousarray(x) for x in (a, b))
    if b.ndim == 2 and a.flags.c_contiguous and target.flags.c_contiguous:  # a shared matrix: one long product
        own().products(*(x.reshape(1, -1, x.shape[-1]) for x in (a, b, target)))
    else:
        a, b = (x if x.shape[:-2] == lead else cupy.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b))
        for stack in stacks(a, b, target):
            own().products(*stack)
    if target is not y:
        y[...] = target
    return y


def stacks(*arrays):
    """Arrays (..., M, K) as few stacks (N, M, K): all matrices at one distance if they are, else those of one axis."""
    lead = arrays[0].shape[:-2]
    if all(x.strides[axis] == x.strides[axis + 1] * lead[axis + 1] for x in arrays for axis in range(len(lead) - 1)):
        yield [x.reshape(math.prod(lead), *x.shape[-2:]) for x in arrays]
        return
    longest = lead.index(max(lead))
    for index in np.ndindex(*lead[:longest], *lead[longest + 1:]):
        yield [x[*index[:longest], :, *index[longest:]] for x in arrays]


def layout(x):
    """(distance of rows, 0) of an array with dense rows, (distance of columns, 1) with dense columns, or None."""
    rows, columns = (stride // x.itemsize for stride in x.strides[-2:])
    height, width = x.shape[-2:]
    if (columns == 1 or width == 1) and (rows >= width or height == 1):
        return max(rows, width), 0
    if (rows == 1 or height == 1) and (columns >= height or width == 1):
        return max(columns, height), 1
    return None


def stack_stride(x):
    return x.strides[0] // x.itemsize


def check(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLAS failed with status {status}: see cublasStatus_t")


def own() -> CuBLAS:
    """The handle of this thread on the current device."""
    import cupy

    return handle_of(cupy.cuda.Device().id, threading.get_ident())


@functools.cache
def handle_of(device: int, thread: int) -> CuBLAS:
    return CuBLAS()

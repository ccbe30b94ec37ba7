"""The array module behind every array: NumPy on a CPU, CuPy on a GPU. Only this file, graph.py and kernels/ know CuPy.

The array carries its backend: `xp = array_module(x)` gives the module whose functions work on `x`, so the same
source runs on both. There is no global device.
"""

from __future__ import annotations

import ctypes
import importlib.util
import mmap
import sys
from functools import cache

import numpy as np

from .errors import UserError

MALLOC_OPTIONS = {-1: 2**31 - 1, -2: 2**29, -3: 2**25}  # glibc's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD


def array_module(x):
    """The module (`numpy` or `cupy`) that made `x`. Free of cost where CuPy was never imported."""
    cupy = sys.modules.get("cupy")
    return np if cupy is None else cupy.get_array_module(x)


def matmul(a, b, out=None):
    """a @ b over the last two axes, leading axes broadcast; the one matrix product of all ops.

    a (..., M, K), b (..., K, N) -> y (..., M, N)
    """
    return array_module(a).matmul(a, b, out=out)


def column_sums(x):
    """Σ over rows as a product with ones: up to 17 times as fast as a reduction where there are few columns.

    x (M, K) -> y (K); x (..., M, K) -> y (..., 1, K)
    """
    return matmul(array_module(x).ones((1,) * (x.ndim > 2) + x.shape[-2:-1], x.dtype), x)


def tiled(x, count):
    """`x` count times along its last axis, as np.tile does in three times the time for what is small.

    x (..., C) -> y (..., count · C)
    """
    return x[..., None, :].repeat(count, axis=-2).reshape(*x.shape[:-1], -1)


def full_precision(x):
    """`x`, in float32 if it is in half precision, whose range and digits are too few for statistics and losses."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


def blocks(x, numbers):
    """Slices over the first axis of `x`, of about `numbers` numbers each: what stays in a CPU's cache. One on a GPU."""
    step = max(1, numbers * len(x) // max(1, x.size)) if isinstance(x, np.ndarray) else len(x)
    return (slice(start, start + step) for start in range(0, len(x), step))


def in_blocks(function, numbers, *arrays):
    """function(*arrays), block by block over their first axis: what it does in many passes, it does in the cache.

    For functions of each sample or row by itself. Blocks of the first array have about `numbers` numbers.
    """
    first, *others = blocks(arrays[0], numbers) if arrays[0].size > numbers else (slice(None),)
    y = function(*(x[first] for x in arrays))
    if not others:
        return y
    whole = np.empty((len(arrays[0]), *y.shape[1:]), y.dtype)
    whole[first] = y
    for part in others:
        whole[part] = function(*(x[part] for x in arrays))
    return whole


@cache
def keep_memory() -> None:
    """Have the C library keep the memory of freed arrays for the next ones, as GPU libraries do with theirs.

    By itself glibc gives that of large arrays back to the system, which clears each page when it is asked for again: a
    fifth of a training step of the autoencoder. Other C libraries have no such settings.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        for option, value in MALLOC_OPTIONS.items():
            set_option(option, value)


def shared(x: np.ndarray) -> np.ndarray:
    """A copy of `x` in memory that processes forked from now on have in common with this one."""
    copy = np.frombuffer(mmap.mmap(-1, x.nbytes), x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def gpu_available() -> bool:
    """True where CuPy is installed and sees a device."""
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def resolve_device(name: str) -> str:
    """'auto', 'cpu' or 'cuda' -> 'cpu' or 'cuda'. Raises UserError where a GPU is asked for and none is there."""
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {name!r}: use auto, cpu or cuda")
    if name == "cuda" and not gpu_available():
        raise UserError("no GPU found: install minidiff[cuda12] or minidiff[cuda13] on a machine with an NVIDIA GPU, "
                        "or use --device cpu")
    return "cpu" if name == "cpu" or not gpu_available() else "cuda"


def to_device(x, device: str):
    """`x` as an array on 'cpu' or 'cuda'; itself if it is there already."""
    if device == "cpu":
        return to_host(x)
    import cupy

    return cupy.asarray(x)


def to_host(x) -> np.ndarray:
    """`x` as a NumPy array; itself if it is one. On a GPU this waits for `x` to be computed."""
    return x.get() if hasattr(x, "get") else np.asarray(x)


def random_stream(key) -> np.random.Generator:
    """A counter-based (Philox) stream on the host, of a key of one or two numbers: the same numbers everywhere."""
    return np.random.Generator(np.random.Philox(key=key))


def normal(seeds, shape, like=None):
    """Standard normal noise, one independent stream per seed: image j is the same alone or in a batch.

    seeds (N,), shape (H, W, C) -> y (N, H, W, C), float32, beside the array `like` (default: on the host)
    """
    noise = np.stack([random_stream(int(seed)).standard_normal(shape, dtype=np.float32) for seed in seeds])
    return noise if like is None else array_module(like).asarray(noise)

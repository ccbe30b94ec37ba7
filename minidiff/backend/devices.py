"""Choosing a device by name, and moving arrays between host and device."""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from .array_module import array_module


def gpu_available() -> bool:
    """True if CuPy can be imported and finds a GPU."""
    try:
        import cupy
    except ImportError:  # it, or a library of CUDA that it needs, is not installed
        return False
    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def resolve_device(name: str) -> str:
    """'auto', 'cpu' or 'cuda' -> 'cpu' or 'cuda'. Raises UserError if a GPU is requested and there is none."""
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {name!r}: use auto, cpu or cuda")
    if name == "cuda" and not gpu_available():
        raise UserError("no GPU found: install minidiff[cuda12] or minidiff[cuda13] on a machine with an NVIDIA GPU, "
                        "or use --device cpu")
    return "cpu" if name == "cpu" or not gpu_available() else "cuda"


def use_gpu(number: int) -> None:
    """Have this thread use GPU `number`; after the last one counting begins anew."""
    import cupy

    cupy.cuda.Device(number % cupy.cuda.runtime.getDeviceCount()).use()


def device_of(x) -> str:
    """'cpu' or 'cuda': where the elements of an array are."""
    return "cpu" if array_module(x) is np else "cuda"


def to_device(x, device: str):
    """`x` on 'cpu' or 'cuda'; `x` itself if it is already there."""
    if device == "cpu":
        return to_host(x)
    import cupy

    return cupy.asarray(x)


def to_host(x) -> np.ndarray:
    """`x` as a NumPy array; `x` itself if it is one. Waits for the GPU to finish computing `x`."""
    return x.get() if hasattr(x, "get") else np.asarray(x)

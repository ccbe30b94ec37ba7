"""SiLU, quick GELU, GELU and GEGLU in one launch each way; backward keeps x only."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

THREADS = 256  # of a block


@replaces(ops.silu)
def silu(x):
    return elementwise("swish", x, x.shape, 1.0)


@replaces(ops.quick_gelu)
def quick_gelu(x):
    return elementwise("swish", x, x.shape, 1.702)


@replaces(ops.gelu)
def gelu(x):
    return elementwise("gelu", x, x.shape)


@replaces(ops.geglu)
def geglu(x):
    channels = x.shape[-1] // 2
    return elementwise("geglu", x, (*x.shape[:-1], channels), channels)


def elementwise(kernel, x, shape, *parameters):
    """y of a shape by a kernel, and dx by the kernel named `..._backward`."""
    xp = array_module(x)
    y = xp.empty(shape, x.dtype)
    blocks = -(-y.size // THREADS)
    launch("activations.cu", kernel, blocks, THREADS, x, y, y.size, *parameters)

    def backward(dy):
        dx = xp.empty(x.shape, x.dtype)
        launch("activations.cu", f"{kernel}_backward", blocks, THREADS, x, dy, dx, dy.size, *parameters)
        return dx

    return y, backward

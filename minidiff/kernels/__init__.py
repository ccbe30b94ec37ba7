"""Kernels: fast replacements of ops, loaded when the first array on their device arrives.

A kernel lives in the folder of its device, and takes and returns what its op does:

    @replaces(ops.group_norm)
    def group_norm(x, weight, bias, groups, eps=1e-5): ...

Kernels import only `ops` and `backend`, and no other part imports a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Kernel(NamedTuple):
    run: Callable
    when: Callable | None = None  # when(*args, **options) is True if the kernel can take this call; None: it takes any
    fast: bool = False            # True if its rounding errors are larger than the op's


def replaces(op: Callable, when: Callable | None = None, fast: bool = False) -> Callable:
    """Register a function as a kernel of `op` on the device that its folder is named after.

    Fast kernels are tried first, then those with a condition, then the one without.
    """

    def register(function):
        kernels = op.kernels[function.__module__.split(".")[-2]]
        kernels.append(Kernel(function, when, fast))
        kernels.sort(key=lambda kernel: (not kernel.fast, kernel.when is None))
        return function

    return register

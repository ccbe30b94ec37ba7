"""An op made ready to be timed in one runtime: its results to be checked, its forward and its backward pass to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from minidiff.backend import gpu_available, to_device, to_host
from minidiff.ops import fast, no_grad, plain

from ..measure.packages import installed

# Each of our runtimes: its device, and the context in which its ops run.
OURS = {"NumPy plain": ("cpu", plain), "NumPy": ("cpu", fast), "CuPy plain": ("cuda", plain), "CuPy": ("cuda", fast)}


class OpRun(NamedTuple):
    device: str
    ys: tuple
    gradients: tuple
    forward: Callable
    backward: Callable


def in_tuple(y) -> tuple:
    return y if isinstance(y, tuple) else (y,)


def op_runs(case, arrays, dys, without=()) -> Iterator[tuple[str, OpRun]]:
    """(runtime, run) for all of ours and for PyTorch, on every device there is, but for runtimes that sit out."""
    devices = ("cpu", "cuda") if gpu_available() else ("cpu",)
    for name, (device, context) in OURS.items():
        if device in devices and name not in without:
            yield name, our_run(case, arrays, dys, device, context)
    if installed("torch"):
        from .peer_runs import torch_runs

        yield from torch_runs(case, arrays, dys, devices, without)


def our_run(case, arrays, dys, device, context) -> OpRun:
    arrays, dys = ([to_device(array, device) for array in part] for part in (arrays, dys))
    dy = tuple(dys) if len(dys) > 1 else dys[0]

    def forward():
        with context(), no_grad():
            case(*arrays)

    with context():
        y, back = case(*arrays)

    def backward():
        with context():
            return back(dy)

    return OpRun(device, tuple(to_host(part) for part in in_tuple(y)),
                 tuple(None if grad is None else to_host(grad) for grad in in_tuple(backward())),
                 forward, backward)

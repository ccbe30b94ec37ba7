"""A training step while kernels are switched on one by one: operations that it starts, and its time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from minidiff import backend, ops
from minidiff.ops.dispatch import load_kernels

from ..measure.launches import launches
from ..measure.packages import installed
from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved
from ..steps.graphs import CAPTURED, eager
from ..steps.ours import OurStep, in_precision
from ..steps.sizes import SIZES
from ..steps.stages import diffusion
from .job import Job, Setup

# The order in which kernels are switched on, by the file that they are in; those of other files follow.
ORDER = ("accumulate", "clipping", "adamw", "convolution", "cudnn_convolution", "winograd", "upsampling", "activations",
         "group_norm", "layer_norm", "softmax", "attention", "linear", "embedding")
LEAST = {"cpu": 0.0, "cuda": 0.05}  # seconds of a turn


def jobs(setup: Setup) -> Iterator[Job]:
    yield Job("waterfall", 60, lambda: waterfall(setup))


def waterfall(setup: Setup) -> Iterator[dict]:
    """A row for each state; each has all that those before it have. A CPU's step has one worker."""
    own, folder = RUNTIMES[setup.device][0], {"cpu": "cpu", "cuda": "gpu"}[setup.device]
    step = OurStep(diffusion(SIZES[setup.small], setup.device), setup.threads if setup.device == "cuda" else 1)

    def measured(detail, name=own, run=None):
        times = interleaved({name: run or eager(step)}, setup.rounds, setup.pause, LEAST[setup.device])
        return row("waterfall", detail, times) | {"launches": {name: launches(eager(step.update), setup.device)}}

    if setup.device == "cuda":
        with without_our_product(), only(folder, []):
            yield measured("plain, CuPy's products")
    found = files(folder)
    for count in range(len(found) + 1):
        with only(folder, found[:count]):
            yield measured(f"+ {found[count - 1]}" if count else "plain")
    for precision in ("tf32", "bf16") if setup.device == "cuda" else ():
        with in_precision(step.stage, precision):
            yield measured(f"+ {precision}")
    if setup.device == "cpu":
        yield measured("+ tape", run=step)
    else:
        with in_precision(step.stage, "tf32"):
            yield measured("+ captured, tf32", own + CAPTURED, step)
    step.close()


def replaceable_ops() -> list:
    return [op for op in vars(ops).values() if hasattr(op, "kernels")]


def files(folder: str) -> list[str]:
    """The files of a folder that have kernels, in the order in which they are switched on."""
    load_kernels(folder)
    found = {file_of(kernel) for op in replaceable_ops() for kernel in op.kernels[folder]}
    if not installed("cudnn"):
        found -= {"cudnn_convolution"}
    return [*(name for name in ORDER if name in found), *sorted(found - {*ORDER})]


def file_of(kernel) -> str:
    return kernel.run.__module__.rpartition(".")[2]


@contextmanager
def only(folder: str, names: list[str]) -> Iterator[None]:
    """Inside, only the kernels of these files are there."""
    load_kernels(folder)
    with ExitStack() as stack:
        for op in replaceable_ops():
            kept = [kernel for kernel in op.kernels[folder] if file_of(kernel) in names]
            stack.enter_context(mock.patch.dict(op.kernels, {folder: kept}))
        yield


def without_our_product():
    """Inside, products on a GPU are CuPy's own."""
    return mock.patch.object(importlib.import_module(f"{backend.__name__}.matmul"), "cublas", lambda: None)

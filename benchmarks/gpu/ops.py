"""Every op: plain NumPy, NumPy kernel, plain CuPy, CUDA kernel, PyTorch, with rates, launches and a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ..measure.ceilings import measure_ceilings
from ..ops.benchmark import measure_case
from ..ops.sizes import cases, in_words
from .job import Job, Setup, on_one_core

LEAST = 0.005  # seconds of a turn


def jobs(setup: Setup) -> Iterator[Job]:
    yield from of_size(setup, "tiny" if setup.quick else "small", 3)


def large(setup: Setup) -> Iterator[Job]:
    yield from of_size(setup, "tiny" if setup.quick else "large", 8)


def of_size(setup, size, seconds):
    devices = ("cpu", "cuda") if setup.device == "cuda" else ("cpu",)
    for case, letters in cases(size):
        yield Job(f"{case.label}, {in_words(letters)}", seconds, on_one_core(
            lambda case=case, letters=letters: measure_case(
                case, letters, size, setup.rounds, setup.pause, LEAST, ceilings(devices, setup.quick))))


@cache
def ceilings(devices, quick):
    side, largest = (64, 1 << 16) if quick else (4096, 1 << 28)
    return {device: measure_ceilings(device, side, largest, 3) for device in devices}

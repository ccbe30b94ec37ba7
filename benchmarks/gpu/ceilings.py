"""The most that the device can do: copies from small to large, and a large product in each precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidiff.backend import matmul, product_precision, to_device, to_host

from ..measure.ceilings import measure_ceilings
from ..measure.checks import check
from ..measure.packages import missing
from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved
from .job import Job, Setup

PRECISIONS = {"float32": 1e-5, "tf32": 2e-3, "bf16": 2e-2}  # and how far a product may be from float64's
ROWS = 16  # of a product that are compared


def jobs(setup: Setup) -> Iterator[Job]:
    yield Job("copies", 10, lambda: copies(setup))
    yield Job("products", 20, lambda: products(setup))


def copies(setup) -> Iterator[dict]:
    largest = 1 << (20 if setup.quick else 31 if setup.device == "cuda" else 28)
    found = measure_ceilings(setup.device, 256, largest, setup.rounds)
    for size, rate in found.copies:
        yield row("ceiling, copy", f"{size / 2e6:.3g} MB read and written", {}) | {
            "GB/s": {RUNTIMES[setup.device][0]: rate}}


def products(setup) -> Iterator[dict]:
    own, their = RUNTIMES[setup.device]
    side = 64 if setup.quick else 8192 if setup.device == "cuda" else 2048
    arrays = [np.random.default_rng(0).standard_normal((side, side), np.float32) for _ in range(2)]
    exact = arrays[0][:ROWS].astype(np.float64) @ arrays[1]
    a, b = (to_device(array, setup.device) for array in arrays)
    for precision, tolerance in PRECISIONS.items():
        def ours(precision=precision):
            with product_precision(precision):
                return matmul(a, b)

        runs, results = {own: ours}, {own: to_host(ours()[:ROWS])}
        if not missing(setup.device, "torch"):
            from .peers import product

            runs[their] = theirs = product(arrays, precision, setup.device)
            results[their] = theirs()[:ROWS].float().cpu().numpy()
        errors = {name: check(f"product of {precision} in {name}", y, exact, tolerance) for name, y in results.items()}
        times = interleaved(runs, setup.rounds, setup.pause, 0.02)
        yield row("ceiling, product", f"{side} x {side}, {precision}", times) | {
            "GFLOP/s": {name: 2 * side**3 / time.median / 1e9 for name, time in times.items()}, "largest error": errors}

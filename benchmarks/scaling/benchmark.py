"""How the time and the memory of a diffusion step grow with its work, and whether either grows faster than the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minidiff.nn.threads import cores

from ..measure import process
from ..measure.rows import row
from ..measure.threads import limited
from ..measure.timing import Timing, interleaved
from ..steps.operations import operations_of
from ..steps.ours import OurStep
from ..steps.training import compared
from .growth import GROWTH, stage_at

TOLERANCE = 0.1  # of an exponent: so much above the operations' is too fast


def measure(sizes: Sequence[str] = ("small",), match: str = "", rounds: int = 5, pause: float = 0.1,
            threads: int | None = None) -> Iterator[dict]:
    """A row per point; from the second on, with the exponents of what ~ factor ^ exponent of the points so far."""
    threads = threads or cores()
    with limited(threads):
        for size in sizes:
            for name in [name for name in GROWTH if match in f"diffusion step, {name}"]:
                factors, points = [], []
                for factor in GROWTH[name].factors:
                    stage = stage_at(size, name, factor)
                    operations, times = operations_of(stage), measure_step(stage, rounds, pause, threads)
                    memory = process.memory("scaling.memory", times, size, name, factor, threads)
                    factors.append(factor)
                    points.append({"operations": {"counted": operations}, "MB": memory,
                                   "time": {runtime: time.median for runtime, time in times.items()}})
                    yield row("diffusion step", f"{size}: {name} x {factor:g}", times, operations=operations) | {
                        "GFLOP": operations / 1e9, "MB": memory} | grown(name, factors, points)


def measure_step(stage, rounds, pause, threads) -> dict[str, Timing]:
    """Of each runtime, once the gradients of all agree."""
    ours = OurStep(stage, threads)
    runs, _ = compared(ours)
    times = interleaved(runs, rounds, pause)
    ours.close()
    return times


def grown(name, factors, points) -> dict:
    """The exponents of operations, time and memory, and what of these is too large."""
    if len(points) < 2:
        return {}
    found = {what: {runtime: exponent(factors, [point[what][runtime] for point in points])
                    for runtime in points[0][what]} for what in points[0]}
    most = {"time": found["operations"]["counted"], "MB": GROWTH[name].memory}
    fast = [f"{what} of {runtime}" for what, limit in most.items() for runtime, value in found[what].items()
            if value > limit + TOLERANCE]
    return {"exponent": found, "grows too fast": fast}


def exponent(factors, values) -> float:
    """The slope of log value over log factor, by least squares."""
    return float(np.polyfit(np.log(factors), np.log(values), 1)[0])

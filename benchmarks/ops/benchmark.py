"""Every op of the tests' table, forward and backward, in each runtime there is. Checked first, then timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from minidiff.backend import keep_memory

from ..measure.ceilings import Ceilings, measure_ceilings
from ..measure.checks import check
from ..measure.launches import launches
from ..measure.rows import row
from ..measure.threads import limited
from ..measure.timing import interleaved
from .costs import rates, traffic
from .reference import reference
from .runs import OURS, in_tuple, op_runs
from .sizes import cases, draw, in_words
from .verdict import verdict

DIRECTIONS = ("forward", "backward")
TOLERANCE = 1e-4  # of float32 results, in norm, relative


def measure(sizes: Sequence[str] = ("small", "large"), match: str = "", rounds: int = 5, pause: float = 0.1,
            threads: int = 1, least: float = 0.02, ceilings: dict[str, Ceilings] | None = None) -> Iterator[dict]:
    """Rows of one op and one direction each. `ceilings` by device; those of the CPU are measured if there are none."""
    keep_memory()  # as training and drawing do; PyTorch's arrays gain by it too
    with limited(threads):
        ceilings = ceilings or {"cpu": measure_ceilings()}
        for size in sizes:
            for case, letters in cases(size):
                directions = [direction for direction in DIRECTIONS if match in f"{case.label}, {direction}"]
                if directions:
                    yield from measure_case(case, letters, size, rounds, pause, least, ceilings, directions)


def measure_case(case, letters, size, rounds, pause, least, ceilings, directions=DIRECTIONS) -> Iterator[dict]:
    rng = np.random.default_rng(0)
    arrays = draw(case, letters, rng)
    ys = in_tuple(case(*arrays)[0])
    dys = [np.asarray(rng.standard_normal(y.shape), np.float32) for y in ys]
    exact = reference(case, arrays, dys)
    runs = dict(op_runs(case, arrays, dys))
    errors = {name: largest_error(case, name, run, exact) for name, run in runs.items()}
    counts = traffic(case, arrays, ys, dys, next(iter(runs.values())).gradients)
    own_ceilings = {name: ceilings[run.device] for name, run in runs.items() if run.device in ceilings}
    shape = in_words(letters)
    for direction in directions:
        times = interleaved({name: getattr(run, direction) for name, run in runs.items()}, rounds, pause, least)
        operations, count = exact.operations[direction], counts[direction]
        found = row(f"{case.label}, {direction}", f"{size}: {shape}", times, operations=operations, bytes=count)
        found |= rates(times, operations, count, own_ceilings) | {"error": errors}
        started = {name: launches(getattr(run, direction)) for name, run in runs.items()
                   if name in OURS and run.device == "cuda"}
        yield found | ({"launches": started} if started else {}) | {"verdict": verdict(found)}


def largest_error(case, runtime, run, exact) -> float:
    """Of the results of a run and its gradients, but those of constants; raises Different above the tolerance."""
    compared = [*zip(run.ys, exact.ys, strict=True), *(
        pair for name, *pair in zip_longest(case.arguments, run.gradients, exact.gradients)
        if name not in case.constants)]
    return max(check(f"{case.label} in {runtime}", *pair, TOLERANCE) for pair in compared)

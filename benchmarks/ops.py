"""Every op of the tests' table, forward and backward, in each runtime there is. Checked first, then timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .ceilings import Ceilings, measure_ceilings
from .checks import check
from .op_costs import operations, traffic
from .op_runs import exact, in_tuple, op_runs
from .op_sizes import cases, draw
from .rows import row
from .threads import limited
from .timing import interleaved

TOLERANCE = 1e-4  # of float32 results, in norm, relative


def measure(sizes: Sequence[str] = ("small", "large"), match: str = "", rounds: int = 5, pause: float = 0.1,
            threads: int = 1, least: float = 0.02, ceilings: dict[str, Ceilings] | None = None) -> Iterator[dict]:
    """Rows of one op and one direction each. `ceilings` by device; those of the CPU are measured if there are none."""
    with limited(threads):
        ceilings = ceilings or {"cpu": measure_ceilings()}
        for size in sizes:
            for case, letters in cases(size, match):
                yield from measure_case(case, letters, size, rounds, pause, least, ceilings)


def measure_case(case, letters, size, rounds, pause, least, ceilings) -> Iterator[dict]:
    rng = np.random.default_rng(0)
    arrays = draw(case, letters, rng)
    y, _ = case(*arrays)
    dys = [np.asarray(rng.standard_normal(part.shape), np.float32) for part in in_tuple(y)]
    ys, gradients = exact(case, arrays, dys)
    runs, errors = {}, {}
    for name, run in op_runs(case, arrays, dys):
        runs[name] = run
        errors[name] = max(check(f"{case.label} in {name}", one, other, TOLERANCE)
                           for ours, theirs in ((run.ys, ys), (run.gradients, gradients))
                           for one, other in zip(ours, theirs, strict=False)
                           if one is not None and other is not None)
    shape = " ".join(f"{letter.lstrip('.01') or '·'}{value}" for letter, value in letters.items())
    for direction in ("forward", "backward"):
        times = interleaved({name: getattr(run, direction) for name, run in runs.items()}, rounds, pause, least)
        backward = direction == "backward"
        flops = operations(case.op.__name__, letters, in_tuple(y)[0], backward)
        count = traffic(arrays, in_tuple(y), runs["NumPy"].gradients, backward)
        seconds = {name: time.median for name, time in times.items()}
        share = {name: ceilings[device].seconds(flops, count) / time for name, time in seconds.items()
                 if (device := "cuda" if "GPU" in name or name == "CuPy" else "cpu") in ceilings}
        yield row(f"{case.label}, {direction}", f"{size}: {shape}", times, operations=flops, bytes=count) | {
            "GFLOP/s": {name: flops / time / 1e9 for name, time in seconds.items()},
            "GB/s": {name: count / time / 1e9 for name, time in seconds.items()}, "share of ceiling": share,
            "error": errors}

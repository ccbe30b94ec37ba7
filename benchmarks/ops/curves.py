"""Time against size: an op with a batch that grows fourfold, on the CPU and the GPU, and where the GPU begins to win.

Arguments stay where the op runs. What it takes to bring them to the GPU and the result back is a curve of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from minidiff.backend import gpu_available, to_device, to_host

from ..measure.rows import left_out, row
from ..measure.timing import interleaved
from .benchmark import largest_error
from .reference import reference
from .runs import in_tuple, op_runs
from .sizes import cases, draw
from .verdict import verdict

DRAWN = ("linear", "conv2d, k=1", "conv2d, k=3", "upsample_conv2d, k=3", "group_norm", "layer_norm", "silu", "geglu",
         "softmax", "attention", "embedding", "mse, weight")
SMALLEST = {"N": 1, "H": 8, "W": 8, "Q": 64, "K": 64, "T": 64, ".0": 1, ".1": 64}  # a sample of 64 pixels or tokens
LARGEST = 1 << 24               # elements
CHECKED = 1 << 17               # elements up to which results are compared with float64; PyTorch's ops are the same
TOO_LONG = 0.3                  # seconds a call after which a runtime sits out
TRANSFERS = "to the GPU and back"


def drawn(match: str = ""):
    """The cases of which there are curves, each with the letters of its smallest size."""
    found = {}
    for case, letters in cases("small", match):
        if case.label.removesuffix(", no bias") in DRAWN and case.label not in found and "no bias" not in case.label:
            found[case.label] = case, {letter: SMALLEST.get(letter, size) for letter, size in letters.items()}
    return list(found.values())


def curve(case, letters, direction="forward", largest=LARGEST, rounds=3, pause=0.0, least=0.005) -> Iterator[dict]:
    """A row for each size, and at the end one that says where curves cross."""
    rng, rows, slow, elements = np.random.default_rng(0), [], set(), 0
    grows = "N" if "N" in letters else ".0"  # the batch
    while 4 * elements <= largest:
        arrays = draw(case, letters, rng)
        ys = in_tuple(case(*arrays)[0])
        dys = [np.asarray(rng.standard_normal(y.shape), np.float32) for y in ys]
        runs = dict(op_runs(case, arrays, dys, slow))
        if not runs:
            break
        elements = max(math.prod(array.shape) for array in [*arrays, *ys])
        if elements <= CHECKED:
            exact = reference(case, arrays, dys)
            for name, run in runs.items():
                largest_error(case, name, run, exact)
        calls = {name: getattr(run, direction) for name, run in runs.items()}
        if gpu_available():
            up, down = (arrays, ys) if direction == "forward" else (
                [*arrays, *dys], [grad for grad in next(iter(runs.values())).gradients if grad is not None])
            calls[TRANSFERS] = transfers(up, down)
        times = interleaved(calls, rounds, pause, least)
        slow |= {name for name, time in times.items() if time.median > TOO_LONG}
        rows.append(row(f"{case.label}, {direction}", f"{elements} elements", times, elements=elements))
        yield rows[-1]
        letters = letters | {grows: 4 * letters[grows]}
    yield summary(case, direction, rows)


def transfers(up, down):
    """A call that brings arrays to the GPU, and back those that are computed there."""
    computed = [to_device(array, "cuda") for array in down]

    def call():
        for array in up:
            to_device(array, "cuda")
        for array in computed:
            to_host(array)

    return call


def summary(case, direction, rows) -> dict:
    """The size from which on the GPU takes less time, without and with transfers; its least time; a verdict."""
    what = f"{case.label}, {direction}"
    floor = rows[0]["times"].get("CuPy", {}).get("median")
    if floor is None:
        return left_out(what, "crossing", "no GPU found") | {"verdict": verdict(rows[-1])}
    return row(what, "crossing", {}) | {
        "crossing": {"elements": crossing(rows, "NumPy", ("CuPy",)),
                     "with transfers": crossing(rows, "NumPy", ("CuPy", TRANSFERS))},
        "floor": floor, "verdict": verdict(rows[-1], floor)}


def crossing(rows, one, others) -> float | None:
    """Elements at which `others` together begin to take less time than `one`, for good; None if they never do."""
    both = [row for row in rows if {one, *others} <= row["times"].keys()]
    sizes = [row["elements"] for row in both]
    times = [{name: time["median"] for name, time in row["times"].items()} for row in both]
    gains = [math.log(found[one] / sum(found[name] for name in others)) for found in times]
    if not gains or gains[-1] <= 0:
        return None
    last = max((index for index, gain in enumerate(gains) if gain <= 0), default=None)
    if last is None:
        return float(sizes[0])
    weight = gains[last] / (gains[last] - gains[last + 1])
    return math.exp((1 - weight) * math.log(sizes[last]) + weight * math.log(sizes[last + 1]))

"""What a call keeps Python for: below this time, however small its arrays, no call on a GPU can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidiff import ops
from minidiff.backend import matmul, to_device
from minidiff.ops import no_grad

from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved, until_returned
from ..steps.sizes import SIZES
from ..steps.stages import diffusion
from .job import Job, Setup

CALLS = 100  # at a time: fewer than a GPU's queue holds


def jobs(setup: Setup) -> Iterator[Job]:
    yield Job("host time of a call", 10, lambda: calls(setup))
    yield Job("host time of a batch", 10, lambda: batch(setup))


def calls(setup) -> Iterator[dict]:
    rng, own = np.random.default_rng(0), RUNTIMES[setup.device][0]
    x, w, gain = (to_device(rng.standard_normal(shape, np.float32), setup.device)
                  for shape in ((256, 64), (64, 64), 64))
    y = x.copy()
    for name, call in {
            "x + y": lambda: x + y, "x += y": lambda: y.__iadd__(x), "x.sum(axis=0)": lambda: x.sum(axis=0),
            "matmul": lambda: matmul(x, w), "softmax": no_grad()(lambda: ops.softmax(x)),
            "layer_norm": no_grad()(lambda: ops.layer_norm(x, gain, gain))}.items():
        def many(call=call):
            for _ in range(CALLS):
                call()

        many()
        times = interleaved({own: call}, setup.rounds, setup.pause, 0.002)
        yield row("host time", name, times) | {"host": {own: until_returned(many, setup.rounds) / CALLS}}


def batch(setup) -> Iterator[dict]:
    """Drawing a batch's noise and times, and uploading it, which training does for each step."""
    stage = diffusion(SIZES[setup.small], setup.device)

    def drawn():
        return [to_device(array, setup.device) for array in stage.draw(0)]

    times = interleaved({RUNTIMES[setup.device][0]: drawn}, setup.rounds, setup.pause)
    yield row("host time", "draw and upload a batch", times)

"""One process of benchmarks/steps.py: RUNTIME STAGE SIZE THREADS -> a line of JSON."""

from __future__ import annotations

import json
import sys

from threadpoolctl import threadpool_limits

from .process import peak_memory
from .stages import OurStep, images_drawn_once, stages
from .step_sizes import SIZES
from .threads import limited


def main(runtime, name, size, threads) -> dict:
    """The memory that three training steps add to a process with the libraries and the weights."""
    stage = next(stage for stage in stages(SIZES[size], "cpu") if stage.name == name)
    if runtime == "NumPy":  # without PyTorch
        with threadpool_limits(int(threads), "blas"):
            return {"peak MB": added(lambda: OurStep(stage, int(threads)))}
    from .stages_torch import LAYOUTS, TheirStep

    with limited(int(threads)):
        return {"peak MB": added(lambda: TheirStep(stage, LAYOUTS[runtime.removeprefix("PyTorch")]))}


def added(make_step) -> float:
    """In this process, and in those forked from it beyond what they were born with, which is this one's."""
    before = peak_memory()
    with images_drawn_once():
        step = make_step()
        workers = [worker.pid for worker in step.processes]
        before += sum(map(peak_memory, workers))
        for _ in range(3):
            step()
    return peak_memory() + sum(map(peak_memory, workers)) - before


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

"""The memory of a training step, in a process of its own: RUNTIME STAGE SIZE THREADS -> a line of JSON."""

from __future__ import annotations

import json
import sys

from minidiff.nn.threads import at_most

from ..measure.process import peak_memory
from ..measure.threads import limited
from .ours import OurStep
from .sizes import SIZES
from .stages import stages


def main(runtime, name, size, threads) -> dict:
    """The memory that three training steps and what they keep add to a process with the libraries and the weights."""
    stage = next(stage for stage in stages(SIZES[size], "cpu") if stage.name == name)
    return memory_of(runtime, lambda: stage, int(threads))


def memory_of(runtime, make_stage, threads) -> dict:
    """What making a stage and three of its steps add to this process. Weights that PyTorch copies count once."""
    if runtime == "NumPy":  # without PyTorch
        with at_most(threads):
            return {"peak MB": added(lambda: OurStep(make_stage(), threads))}
    from .peers import LAYOUTS, TheirStep

    with limited(threads):
        return {"peak MB": added(lambda: TheirStep(make_stage(), LAYOUTS[runtime.removeprefix("PyTorch")]))}


def added(make_step) -> float:
    """What it adds to this process, and to each worker beyond the memory that it was forked with."""
    before = peak_memory()
    step = make_step()
    workers = [worker.pid for worker in step.processes]
    before += sum(map(peak_memory, workers)) + step.copied / 1e6
    for _ in range(3):
        step()
    return peak_memory() + sum(map(peak_memory, workers)) - before


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

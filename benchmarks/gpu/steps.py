"""A diffusion training step: eager, captured, PyTorch's eager and compiled, in TF32 and bfloat16, with their memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..measure.checks import check
from ..measure.device import memory_in_use, memory_taken
from ..measure.launches import launches
from ..measure.packages import PEERS, missing
from ..measure.rows import RUNTIMES, left_out, row
from ..measure.timing import interleaved, until_returned
from ..steps.graphs import CAPTURED, eager, graphs_missing
from ..steps.ours import OurStep, in_precision
from ..steps.sizes import SIZES
from ..steps.stages import diffusion
from ..steps.training import in_both, worst
from .job import Job, Setup, in_a_line

# How far gradients may be from PyTorch's: in float32 each parameter's, else all as one vector.
TOLERANCES = {"float32": 1e-3, "tf32": 3e-2, "bf16": 2e-1}
COMPILED = " compiled"


def small(setup: Setup) -> Iterator[Job]:
    yield from of_size(setup, setup.small, 32, ("float32", "tf32", "bf16"), 20)
    yield from of_size(setup, setup.small, 256, ("tf32", "bf16"), 20)


def large(setup: Setup) -> Iterator[Job]:
    yield from of_size(setup, setup.large, 64, ("tf32", "bf16"), 45)


def compiled(setup: Setup) -> Iterator[Job]:
    """PyTorch compiles for a minute each time, so these come late; ours are timed with them again."""
    for precision in ("tf32", "bf16"):
        for size, batch in ((setup.small, 32), (setup.large, 64)):
            yield from of_size(setup, size, batch, (precision,), 75 if size == setup.small else 110, COMPILED)


def of_size(setup, size, batch, precisions, seconds, how=""):
    batch = SIZES[size].train_diffusion.batch_size if setup.quick else batch
    for precision in precisions:
        yield Job(f"{size}: batch {batch}, {precision}{how}", seconds,
                  lambda precision=precision: measure_step(setup, size, batch, precision, bool(how)))


def measure_step(setup, size, batch, precision, compiled) -> Iterator[dict]:
    """Gradients are compared before anything is timed. MB are the peak of all that a runtime takes of the GPU."""
    own, their = RUNTIMES[setup.device]
    settings = SIZES[size]
    settings = replace(settings, train_diffusion=replace(settings.train_diffusion, batch_size=batch))
    what, detail, device = "diffusion step", f"{size}: batch {batch}, {precision}", setup.device
    absent = missing(device, *PEERS)
    gc.collect()
    before = memory_in_use(device)
    stage = diffusion(settings, device)
    with in_precision(stage, precision):
        ours = OurStep(stage, setup.threads)
        runs, MB, errors = {own: eager(ours)}, {}, {}
        runs[own]()
        MB[own] = memory_taken(device) - before
        if not graphs_missing(device):
            runs[own + CAPTURED], expected = ours, eager(ours.gradients)()
            memory_in_use(device)  # a graph has a pool of its own
            ours.gradients()  # records what the next call replays
            errors[own + CAPTURED] = worst(f"{detail}, replayed", expected, ours.gradients())
            ours()
            MB[own + CAPTURED] = memory_taken(device) - before
        if not absent:
            name, before = f"{their} NHWC" + (COMPILED if compiled else ""), memory_in_use(device)
            try:
                step, errors[name] = theirs(ours, f"{detail}, {name}", device, precision, compiled)
                step()
                runs[name], MB[name] = step, memory_taken(device) - before
            except Exception as error:  # whatever ails PyTorch must not cost our times
                absent = in_a_line(error)
        times = interleaved(runs, setup.rounds, setup.pause, 0.1 if device == "cuda" else 0.0)
        parameters = sum(p.value.size for model in stage.models for p in model.parameters())
        yield row(what, f"{detail}, {parameters / 1e6:.1f} M", times, parameters=parameters) | {
            "host": {name: until_returned(run, 3) for name, run in runs.items()},
            "launches": {own: launches(eager(ours.update), device)}, "largest error": errors,
            "images a second": {name: batch / time.median for name, time in times.items()}} | (
                {"MB": MB} if device == "cuda" else {})
        ours.close()
    for runtime, reason in ((own + CAPTURED, graphs_missing(device)), (their, absent)):
        if reason:
            yield left_out(what, f"{detail}, {runtime}", reason)


def theirs(ours, what, device, precision, compiled):
    """(their step from our present weights, the largest difference of its gradients from ours)"""
    from ..steps.peers import LAYOUTS, TheirStep

    gradients = ours.gradients()
    step = TheirStep(ours.stage, LAYOUTS[" NHWC"], device, precision, compiled)
    found, tolerance = step.gradients(), TOLERANCES[precision]
    if precision == "float32":
        return step, worst(what, gradients, found)
    names, _ = in_both(what, gradients, found)
    return step, check(f"{what}: gradient", *(np.concatenate([grads[name].ravel() for name in names])
                                              for grads in (gradients, found)), tolerance)

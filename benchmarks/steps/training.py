"""A training step of each stage, compared with the same networks, losses and optimizer in PyTorch."""

from __future__ import annotations

import numpy as np

from ..measure import process
from ..measure.checks import Different, check
from ..measure.packages import PEERS, installed
from ..measure.rows import RUNTIMES, row
from ..measure.timing import interleaved
from .ours import OurStep

TOLERANCE = 1e-3  # of gradients in float32 through a whole network, in norm, relative


def measure_step(stage, size, rounds, pause, threads, device) -> dict:
    """Gradients are compared at the initial weights, then whole updates are timed."""
    own, their = RUNTIMES[device]
    ours = OurStep(stage, threads)
    runs, errors = {own: ours}, {}
    if installed(*PEERS):
        from .peers import LAYOUTS, TheirStep

        expected = ours.gradients()
        for layout, format in LAYOUTS.items():
            theirs = TheirStep(stage, format, device)
            errors[their + layout] = worst(f"{stage.name}, {their}{layout}", expected, theirs.gradients())
            runs[their + layout] = theirs
    count = sum(p.value.size for model in stage.models for p in model.parameters())
    times = interleaved(runs, rounds, pause)
    ours.close()
    memory = {} if device == "cuda" else {
        "MB": {name: process.run("steps.memory", name, stage.name, size, threads)["peak MB"] for name in runs}}
    return row(f"{stage.name} step", f"{size}: batch {ours.settings.batch_size}, {count / 1e6:.1f} M", times,
               parameters=count, workers=ours.trainer.worker_count) | memory | {"largest error": errors}


def worst(what, ours, theirs) -> float:
    """The largest difference of a parameter's gradient; tiny gradients are compared with 1e-3 of the largest."""
    floor = 1e-3 * max(np.linalg.norm(grad) for grad in theirs.values())
    missing = theirs.keys() ^ ours.keys()
    if any(np.linalg.norm(ours.get(name, 0.0)) > floor for name in missing):
        raise Different(f"{what}: only one side has gradients of {', '.join(sorted(missing))}")
    return max(check(f"{what}: gradient of {name}", ours[name], grad, TOLERANCE, floor)
               for name, grad in theirs.items() if name in ours)

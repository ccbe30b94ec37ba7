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
    ours = OurStep(stage, threads)
    runs, errors = compared(ours, device)
    count = sum(p.value.size for model in stage.models for p in model.parameters())
    times = interleaved(runs, rounds, pause)
    ours.close()
    memory = {} if device == "cuda" else {
        "MB": process.memory("steps.memory", runs, stage.name, size, threads)}
    return row(f"{stage.name} step", f"{size}: batch {ours.settings.batch_size}, {count / 1e6:.1f} M", times,
               parameters=count, workers=ours.trainer.worker_count) | memory | {"largest error": errors}


def compared(ours, device="cpu") -> tuple[dict, dict]:
    """A step by runtime, ours and theirs in each layout, and by theirs the largest difference of gradients."""
    own, their = RUNTIMES[device]
    runs, errors = {own: ours}, {}
    if installed(*PEERS):
        from .peers import LAYOUTS, TheirStep

        expected = ours.gradients()
        for layout, format in LAYOUTS.items():
            name = their + layout
            runs[name] = theirs = TheirStep(ours.stage, format, device)
            errors[name] = worst(f"{ours.stage.name}, {name}", expected, theirs.gradients())
    return runs, errors


def worst(what, ours, theirs) -> float:
    """The largest difference of a parameter's gradient; tiny gradients are compared with 1e-3 of the largest."""
    names, floor = in_both(what, ours, theirs)
    return max(check(f"{what}: gradient of {name}", ours[name], theirs[name], TOLERANCE, floor) for name in names)


def in_both(what, ours, theirs) -> tuple[list[str], float]:
    """The parameters with gradients on both sides, and the norm below which one is tiny: those of one side must be."""
    floor = 1e-3 * max(np.linalg.norm(grad) for grad in theirs.values())
    missing = sorted(theirs.keys() ^ ours.keys())
    if any(np.linalg.norm((ours | theirs)[name]) > floor for name in missing):
        raise Different(f"{what}: only one side has gradients of {', '.join(missing)}")
    return [name for name in theirs if name in ours], floor

"""The run as a film: x, and what the UNet takes x0 for, with and without the prompt, all decoded."""

from __future__ import annotations

import numpy as np

from ..diffusion.objectives import denoised
from ..diffusion.sampler_table import SAMPLERS
from ..diffusion.samplers import advance
from .images import rounded, side_by_side
from .run import Run
from .sources import source_of

SOURCES = (advance, denoised)


def view(run: Run) -> dict:
    shown = [run.steps[i] for i in run.shown]
    rows = {"x": [step.x for step in shown] + [run.steps[-1].after],
            "cond": [run.x0(step, step.cond) for step in shown],
            "uncond": [run.x0(step, step.uncond) for step in shown if step.uncond is not None],
            "guided": [step.denoised for step in shown]}
    if not rows["uncond"]:
        del rows["uncond"], rows["guided"]
    decoded = run.decoded([x for row in rows.values() for x in row])
    ends = np.cumsum([len(row) for row in rows.values()])[:-1]
    return {
        "steps": [i + 1 for i in run.shown], "total": len(run.steps),
        "t": rounded([step.time.t for step in shown]), "alpha": rounded([step.time.alpha for step in shown]),
        "sigma": rounded([step.time.sigma for step in shown]),
        "change": rounded(changes(decoded[-len(shown):])), "kind": run.scheduler.prediction_type,
        "replaced": replaced(run),
        "sources": [source_of(thing) for thing in (*SOURCES, SAMPLERS[run.scheduler.sampler].function)],
        "rows": {name: side_by_side(part) for name, part in zip(rows, np.split(decoded, ends), strict=True)},
    }


def replaced(run: Run) -> float | None:
    """The α that the sampler computes with in its first step, where the schedule's is 0."""
    first = run.steps[0].time
    return None if run.scheduler.schedule.at(first.t)[0] > 0 or first.alpha == 0 else first.alpha


def changes(images: np.ndarray) -> list[float]:
    """How far each guess is from the last one: the mean difference of pixels, in levels of 255."""
    return [float(np.abs(image - images[-1].astype(np.float64)).mean()) for image in images]

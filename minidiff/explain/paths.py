"""The way from noise to images in the plane in which runs of several seeds differ most, and samplers compared."""

from __future__ import annotations

import numpy as np

from ..backend import to_host
from ..diffusion.multistep import dpm_solver
from ..diffusion.samplers import first_order, heun
from .images import bytes_of, rounded, side_by_side
from .run import Run

SOURCES = (first_order, heun, dpm_solver)
SAMPLERS, COUNTS = ("euler", "heun", "dpm++"), (5, 10, 20)
REFERENCE = ("dpm++", 40)


def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    states, images = run.siblings
    schedule = run.scheduler.schedule
    centre, axes, kept = plane_of(states)
    projected = (states.reshape(*states.shape[:2], -1) - centre) @ axes.T
    true, shown = ended(run, *REFERENCE)
    table = []
    for sampler in SAMPLERS:
        for count in COUNTS:
            end, image = ended(run, sampler, count)
            shown = np.concatenate([shown, image])
            off = np.linalg.norm(end - true) / np.linalg.norm(true)
            table.append({"sampler": sampler, "steps": count, "off": 100 * off,
                          "calls": 2 * count - 1 if sampler == "heun" else count})
    return {
        "paths": rounded(projected), "kept": kept, "seeds": [run.seed + i for i in range(len(states))],
        "images": side_by_side(images), "table": rounded(table), "samplers": list(SAMPLERS), "counts": list(COUNTS),
        "reference": list(REFERENCE), "ends": side_by_side(shown),
        "infinite": not schedule.is_flow and bool(schedule.alpha[-1] == 0),  # σ/α at the start
    }


def plane_of(states: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The centre and first two principal axes of latents (N, S, h, w, C), and the fraction of variance they keep."""
    flat = states.reshape(-1, states[0, 0].size).astype(np.float64)
    centre = flat.mean(axis=0)
    _, lengths, axes = np.linalg.svd(flat - centre, full_matrices=False)
    return centre, axes[:2], float((lengths[:2] ** 2).sum() / (lengths**2).sum())


def ended(run: Run, sampler: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a sampler ends from the run's noise: latents (h, w, C), and the image as (1, H, W, 3)."""
    found = {moment.name: moment.value for moment in run.pipe.stream(
        run.prompt, seed=run.seed, **run.options | {"sampler": sampler, "num_inference_steps": steps})}
    return to_host(found["sampling"].x)[0], bytes_of(found["images"])

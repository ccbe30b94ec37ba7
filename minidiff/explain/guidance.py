"""Guidance in the plane that the two answers of the UNet span, with true lengths and angles, and a strip of scales."""

from __future__ import annotations

import numpy as np

from ..diffusion.guidance import classifier_free, guided
from .images import rounded, side_by_side
from .run import Run

SOURCES = (classifier_free, guided)
SCALES = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


def view(run: Run) -> dict:
    if run.steps[0].uncond is None:
        return {"missing": "no_guidance"}
    steps = [plane(step.uncond, step.cond, run.answer(step)) for step in run.steps]
    return {
        "scale": run.scale, "steps": rounded(steps), "kind": run.scheduler.prediction_type,
        "t": rounded([step.time.t for step in run.steps]), "strip": strip(run) if run.is_small else None,
    }


def plane(uncond: np.ndarray, cond: np.ndarray, guided: np.ndarray) -> dict:
    """Where three vectors end in a plane whose first axis is `uncond`, and the angle at the origin, in degrees.

    `outside` is the length of what of `guided` lies outside this plane.
    """
    u, c, g = (np.asarray(vector, np.float64).ravel() for vector in (uncond, cond, guided))
    first = u / np.linalg.norm(u)
    second = c - (c @ first) * first
    second /= np.linalg.norm(second) or 1.0
    points = {name: [float(v @ first), float(v @ second)] for name, v in (("uncond", u), ("cond", c), ("guided", g))}
    cosine = (u @ c) / (np.linalg.norm(u) * np.linalg.norm(c))
    return points | {"degrees": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
                     "outside": float(np.linalg.norm(g - (g @ first) * first - (g @ second) * second)),
                     "apart": float(np.linalg.norm(c - u))}


def strip(run: Run) -> dict:
    """The same noise drawn with other scales; with scale 0 the UNet has only the empty prompt."""
    scales = sorted({*SCALES, run.scale})
    images = [run.image if scale == run.scale else np.asarray(drawn(run, scale)) for scale in scales]
    return {"scales": scales, "images": side_by_side(np.stack(images))}


def drawn(run: Run, scale: float):
    prompt = "" if scale == 0 else run.prompt
    return run.pipe(prompt, seed=run.seed, guidance_scale=max(scale, 1.0))[0]

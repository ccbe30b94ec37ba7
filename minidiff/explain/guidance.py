"""Guidance in the plane that both answers of the UNet span, with true lengths and angles; the image at other scales."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..data.judge import read, verdict
from ..diffusion.guidance import classifier_free, guided
from .images import data_uri, diverging, rounded, side_by_side
from .run import Run, Step

SOURCES = (classifier_free, guided)
SCALES = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
VISIBLE = 32  # levels of 255 that a colour of a pixel has to change by, to be counted


def view(run: Run) -> dict:
    if run.steps[0].uncond is None:
        return {"missing": "no_guidance"}
    steps = [plane(step.uncond, step.cond, run.answer(step)) | {"apart_x0": apart_x0(run, step)} for step in run.steps]
    return {
        "scale": run.scale, "steps": rounded(steps), "kind": run.scheduler.prediction_type,
        "values": run.noise.size, "strip": strip(run) if run.is_small else None,
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


def apart_x0(run: Run, step: Step) -> float:
    """How far apart the images x0 are that both answers say."""
    return float(np.linalg.norm(run.x0(step, step.cond) - run.x0(step, step.uncond)))


def strip(run: Run) -> dict:
    """The same noise drawn with other scales, and what this run's scale has changed.

    With scale 0 the UNet has only the empty prompt, or the negative one.
    """
    scales = sorted({*SCALES, run.scale})
    images = [run.image if scale == run.scale else drawn(run, scale) for scale in scales]
    right = None if run.scene is None else [verdict(read(image), run.scene)["right"] for image in images]
    return {"scales": scales, "images": side_by_side(np.stack(images)), "right": right,
            "change": change(images[scales.index(1.0)], run.image)}


def drawn(run: Run, scale: float) -> np.ndarray:
    options = run.options | {"guidance_scale": max(scale, 1.0)}
    prompt = run.prompt if scale else options.get("negative_prompt") or ""
    return np.asarray(run.pipe(prompt, seed=run.seed, **options)[0])


def change(before: np.ndarray, after: np.ndarray) -> dict:
    """How far two images are apart: an image of the largest difference of each pixel's colours, their mean in levels,
    and the percentage of pixels where it is visible."""
    apart = np.abs(after.astype(np.float64) - before).max(axis=-1)
    return {"levels": rounded(apart.mean()), "percent": rounded(100 * (apart > VISIBLE).mean()),
            "image": data_uri(Image.fromarray(diverging(apart, 255 / 2)))}

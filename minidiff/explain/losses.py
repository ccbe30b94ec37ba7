"""Where this model errs, with its caption, with a wrong word and without caption, and how much of that trains it."""

from __future__ import annotations

import numpy as np

from ..backend import random_stream, to_host
from ..diffusion.objectives import add_noise, draw_times, loss_weight, target
from ..training.diffusion import predict_noise
from .images import rounded
from .run import Run

SOURCES = (predict_noise, draw_times, loss_weight)
LEVELS, DRAWS, BINS = 11, 40_000, 40


def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    schedule, kind, own = run.scheduler.schedule, run.scheduler.prediction_type, run.about.settings.diffusion
    x0, is_true = run.true_latents
    last = len(schedule.sigma) - 1
    times = np.linspace(0.01 * last, last, LEVELS).round()
    texts = {"right": run.prompt} | ({} if run.other is None else {"wrong": run.other.prompt}) | {"none": ""}
    found = {name: errors(run, x0, times, text) for name, text in texts.items()}
    asked = draw_times(schedule, random_stream(run.seed), DRAWS, own.time_shift, own.middle_fraction)
    law = np.histogram(asked, BINS, (0, last + 1))[0] / DRAWS * BINS
    middles = (np.arange(BINS) + 0.5) * last / BINS
    weight = loss_weight(own.weighting, kind, *schedule.at(middles.round()))
    product = np.exp(np.interp(middles, times, np.log(found["right"]))) * weight * law
    pure = own.layout_fraction  # of the questions are pure noise
    return {
        "times": rounded(times), "texts": texts, "true": is_true, "count": len(x0), "last": last, "kind": kind,
        "errors": rounded(found), "middles": rounded(middles), "law": rounded(law), "weight": rounded(weight),
        "product": rounded(product), "pure": pure, "weighting": own.weighting,
        "folder": getattr(run.about.folder, "name", None),
        "loss": rounded((1 - pure) * product.mean() + pure * found["right"][-1] * weight[-1]),
    }


def errors(run: Run, x0: np.ndarray, times: np.ndarray, text: str) -> list[float]:
    """The mean squared error of the UNet's answers at each time, with the same noise for all texts."""
    kind = run.scheduler.prediction_type
    noise = random_stream(run.seed).standard_normal(x0.shape, dtype=np.float32)
    context = run.context_of(text).repeat(len(x0), axis=0)
    found = []
    for t in times:
        alpha, sigma = (np.full(len(x0), value) for value in run.scheduler.schedule.at(float(t)))
        x = add_noise(x0, noise, alpha, sigma)
        y = to_host(run.pipe.predict(run.on_device(x), float(t), context))
        found.append(float(np.mean((y - target(kind, x0, noise, alpha, sigma)) ** 2)))
    return found

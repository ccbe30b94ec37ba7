"""Where this model errs, with its caption, with a wrong word and without caption, and how much of that trains it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backend import random_stream, to_host
from ..diffusion.objectives import add_noise, draw_times, loss_weight, target
from ..training.diffusion import denoising_loss
from .images import rounded
from .run import Run

SOURCES = (denoising_loss, draw_times, loss_weight)
DRAWS, BINS = 40_000, 40
TIMES = (*np.linspace(0.01, 0.9, 10), *np.linspace(0.9, 1, 7)[1:])  # close together where errors rise steeply


def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    schedule, kind, own = run.scheduler.schedule, run.scheduler.prediction_type, run.about.settings.diffusion
    x0, is_true = run.true_latents
    last = len(schedule.sigma) - 1
    times = np.unique((last * np.array(TIMES)).round())
    texts = {"right": run.prompt} | ({} if run.other is None else {"wrong": run.other.prompt}) | {"none": ""}
    given = {name: answers(run, x0, times, text) for name, text in texts.items()}
    true = targets(run, x0, times)
    found = {name: [mean_square(y - v) for y, v in zip(own, true, strict=True)] for name, own in given.items()}
    asked = draw_times(schedule, random_stream(run.seed), DRAWS, own.time_shift, own.middle_fraction)
    law = np.histogram(asked, BINS, (0, last + 1))[0] / DRAWS * BINS
    middles = (np.arange(BINS) + 0.5) * last / BINS
    weight = loss_weight(own.weighting, kind, *schedule.at(middles.round()))
    product = np.exp(np.interp(middles, times, np.log(found["right"]))) * weight * law
    pure = own.layout_fraction  # of the questions are pure noise
    return {
        "times": rounded(times), "texts": texts, "true": is_true, "count": len(x0), "last": last, "kind": kind,
        "errors": rounded(found), "middles": rounded(middles), "law": rounded(law), "weight": rounded(weight),
        "product": rounded(product), "zero": rounded(mean_square(true[-1])),
        "apart": rounded(mean_square(given["right"][-1] - given["none"][-1])), "pure": pure, "weighting": own.weighting,
        "folder": getattr(run.about.folder, "name", None),
        "loss": rounded((1 - pure) * product.mean() + pure * found["right"][-1] * weight[-1]),
    }


def answers(run: Run, x0: np.ndarray, times: np.ndarray, text: str) -> list[np.ndarray]:
    """What the UNet answers with this caption at each time, with the same noise for all texts."""
    context = run.context_of(text).repeat(len(x0), axis=0)
    return [to_host(run.pipe.predict(run.on_device(add_noise(*mixed)), float(t), context))
            for t, mixed in zip(times, mixtures(run, x0, times), strict=True)]


def targets(run: Run, x0: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """What would have been right."""
    return [target(run.scheduler.prediction_type, *mixed) for mixed in mixtures(run, x0, times)]


def mixtures(run: Run, x0: np.ndarray, times: np.ndarray) -> Iterator[tuple]:
    """x0, noise, α and σ at each time."""
    noise = random_stream(run.seed).standard_normal(x0.shape, dtype=np.float32)
    for t in times:
        alpha, sigma = (np.full(len(x0), value) for value in run.scheduler.schedule.at(float(t)))
        yield x0, noise, alpha, sigma


def mean_square(values: np.ndarray) -> float:
    return float(np.mean(values**2))

"""The same code trained on points in the plane, where the whole field can be drawn beside the exact one."""

from __future__ import annotations

import numpy as np

from ..backend import random_stream
from ..diffusion.samplers import Step
from ..diffusion.scheduler import Scheduler
from ..diffusion.schedules import Time
from ..nn.blas import blas_threads
from .images import rounded
from .points import PointNet, denoiser, spirals, train
from .run import Run

SOURCES = (train, PointNet, denoiser)
POINTS, TRAINING, STEPS, SHOWN = 300, 1200, 60, 14
WIDTH, GRID, MOVING = 2.8, 15, 150


@blas_threads(1)
def view(run: Run) -> dict:
    scheduler = Scheduler("dpm++", run.scheduler.schedule, run.scheduler.prediction_type)
    points = spirals(random_stream(1), POINTS)
    net = train(scheduler, lambda rng, count: points[rng.integers(len(points), size=count)], TRAINING)
    fields = {"learned": denoiser(scheduler, net), "exact": lambda x, time: posterior_mean(points, x, time)}
    steps = scheduler.steps(min(STEPS, scheduler.most_steps))
    shown = evenly(steps)
    kept = (*shown, len(steps))
    places = np.linspace(-WIDTH, WIDTH, GRID)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2).astype(np.float32)
    noise = random_stream(2).standard_normal((MOVING, 2), np.float32)
    found = {name: {
        "arrows": rounded([denoise(grid, steps[i].start) - grid for i in shown], 3),
        "points": rounded([x for i, x in enumerate(way(scheduler, denoise, noise, steps)) if i in kept], 3),
    } for name, denoise in fields.items()}
    return found | {
        "grid": rounded(grid, 3), "data": rounded(points, 3), "width": WIDTH, "training": TRAINING,
        "sigma": rounded([steps[i].start.sigma for i in shown]), "sampler": scheduler.sampler, "steps": len(steps),
    }


def evenly(steps: list[Step]) -> list[int]:
    """Steps between which α and σ change about equally much, with the first and the last.

    Over most times of a schedule nearly all is noise.
    """
    along = np.arctan2(*np.array([(step.start.sigma, step.start.alpha) for step in steps]).T)
    return sorted({int(np.abs(along - wanted).argmin()) for wanted in np.linspace(along[0], along[-1], SHOWN)})


def way(scheduler: Scheduler, denoise, noise: np.ndarray, steps: list[Step]) -> list[np.ndarray]:
    """Where the points are before each step, and at the end."""
    return [noise, *(state.x for state in scheduler.sample(denoise, noise, steps))]


def posterior_mean(points: np.ndarray, x: np.ndarray, time: Time) -> np.ndarray:
    """E[x0 | x] if x0 is one of the points: their mean, weighted by exp(−‖x − α point‖² / 2σ²).

    points (M, 2), x (N, 2) -> y (N, 2)
    """
    distances = ((x[:, None] - time.alpha * points) ** 2).sum(axis=-1) / (2 * time.sigma**2)
    weights = np.exp(distances.min(axis=1, keepdims=True) - distances)
    return (weights / weights.sum(axis=1, keepdims=True)) @ points

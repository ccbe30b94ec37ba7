"""The same code trained on points in the plane, where the whole field can be drawn beside the exact one."""

from __future__ import annotations

import numpy as np

from ..backend import random_stream
from ..diffusion.scheduler import Scheduler
from ..diffusion.schedules import Time
from ..nn.blas import blas_threads
from .images import rounded
from .points import PointNet, denoiser, spirals, train
from .run import Run

SOURCES = (train, PointNet, denoiser)
POINTS, TRAINING, STEPS = 300, 1200, 12
WIDTH, GRID, MOVING = 2.8, 15, 150


@blas_threads(1)
def view(run: Run) -> dict:
    scheduler = Scheduler("dpm++", run.scheduler.schedule, run.scheduler.prediction_type)
    points = spirals(random_stream(1), POINTS)
    net = train(scheduler, lambda rng, count: points[rng.integers(len(points), size=count)], TRAINING)
    fields = {"learned": denoiser(scheduler, net), "exact": lambda x, time: posterior_mean(points, x, time)}
    steps = scheduler.steps(STEPS)
    places = np.linspace(-WIDTH, WIDTH, GRID)
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2).astype(np.float32)
    noise = random_stream(2).standard_normal((MOVING, 2), np.float32)
    found = {name: {
        "arrows": rounded([denoise(grid, step.start) - grid for step in steps], 3),
        "points": rounded([noise, *(state.x for state in scheduler.sample(denoise, noise, steps))], 3),
    } for name, denoise in fields.items()}
    return found | {
        "grid": rounded(grid, 3), "data": rounded(points, 3), "width": WIDTH, "training": TRAINING,
        "sigma": rounded([step.start.sigma for step in steps]), "alpha": rounded([step.start.alpha for step in steps]),
    }


def posterior_mean(points: np.ndarray, x: np.ndarray, time: Time) -> np.ndarray:
    """E[x0 | x] if x0 is one of the points: their mean, weighted by exp(−‖x − α point‖² / 2σ²).

    points (M, 2), x (N, 2) -> y (N, 2)
    """
    distances = ((x[:, None] - time.alpha * points) ** 2).sum(axis=-1) / (2 * time.sigma**2)
    weights = np.exp(distances.min(axis=1, keepdims=True) - distances)
    return (weights / weights.sum(axis=1, keepdims=True)) @ points

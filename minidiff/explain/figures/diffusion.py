"""Points in the plane, by noise prediction and by rectified flow: what each network has learned, and where it leads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...backend import random_stream
from ...diffusion.samplers import slope
from ...diffusion.scheduler import Scheduler
from ...diffusion.schedules import Schedule, Time
from ..canvas import BLUE, INK, ORANGE, SOFT, Canvas, Panel, blend, heat
from ..points import denoiser, spirals, train

ROWS = (("predicts epsilon", "epsilon", Schedule()),
        ("predicts the flow velocity", "flow_prediction", Schedule("flow")))
RATIOS = (2.0, 0.6, 0.2)       # σ/α of the fields drawn
SIDE, GAP, TOP, LEFT = 224, 12, 60, 30
WIDTH, GRID, PATHS = 2.6, 15, 160


def figure():
    canvas = Canvas(LEFT + 4 * (SIDE + GAP), TOP + 2 * (SIDE + GAP))
    for column, title in enumerate([f"sigma / alpha = {ratio}" for ratio in RATIOS] + ["20 steps, from noise to data"]):
        canvas.text((LEFT + column * (SIDE + GAP) + SIDE / 2, TOP - 16), title, INK, 14)
    canvas.text((LEFT + 1.5 * SIDE + GAP, 18),
                "noisy data, and the learned field: which way x moves as the noise falls", SOFT, 14)
    for row, (name, kind, schedule) in enumerate(ROWS):
        top = TOP + row * (SIDE + GAP)
        scheduler = Scheduler("heun", schedule, kind)
        denoise = denoiser(scheduler, train(scheduler))
        for column, ratio in enumerate(RATIOS):
            panel = square(canvas, LEFT + column * (SIDE + GAP), top)
            field(panel, denoise, schedule.is_flow, time_with(schedule, ratio))
        paths(square(canvas, LEFT + 3 * (SIDE + GAP), top), denoise, scheduler)
        canvas.vertical((LEFT / 2, top + SIDE / 2), name, INK, 14)
    return canvas.finished()


def square(canvas, left, top):
    return Panel(canvas, (left, top, left + SIDE, top + SIDE), (-WIDTH, WIDTH), (-WIDTH, WIDTH))


def time_with(schedule, ratio):
    """The training time whose σ/α is nearest to `ratio`."""
    t = int(np.abs(schedule.ratio - ratio).argmin())
    return Time(float(t), *schedule.at(t))


def field(panel, denoise, is_flow, time):
    """The density of x = α x0 + σ ε in the background, and arrows along −dx/dt, whatever the network predicts."""
    left, top, *_ = panel.box
    panel.canvas.place(heat(density(time), blend(ORANGE, (255, 255, 255), 0.1)), left, top, SIDE, SIDE)
    places = np.linspace(-WIDTH, WIDTH, GRID + 2)[1:-1]
    x = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2).astype(np.float32)
    velocity = -slope("flow_prediction" if is_flow else "v_prediction", denoise(x, time), x, time)
    spacing = places[1] - places[0]
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    velocity *= spacing / (0.7 + speed)
    for start, move in zip(x, velocity, strict=True):
        panel.canvas.arrow(panel.at(*(start - move / 2)), panel.at(*(start + move / 2)), BLUE, 1.1, 4.5)
    panel.frame()


def density(time, pixels=90):
    """The density of noisy data on a grid, 1 at its highest, by averaging Gaussians around 600 points of data."""
    centres = time.alpha * spirals(random_stream(5), 600)
    places = np.linspace(-WIDTH, WIDTH, pixels)
    gx, gy = (np.exp(-0.5 * ((places[:, None] - centre) / max(time.sigma, 0.06)) ** 2) for centre in centres.T)
    total = gy[::-1] @ gx.T
    return total / total.max()


def paths(panel, denoise, scheduler):
    """Where points of noise go, dark where they arrive."""
    steps = scheduler.steps(20)
    x = scheduler.start(random_stream(7).standard_normal((PATHS, 2), np.float32), steps)
    seen = np.stack([x, *(state.x for state in scheduler.sample(denoise, x, steps))])
    for path in seen.swapaxes(0, 1):
        for i, (a, b) in enumerate(pairwise(path)):
            if np.abs([a, b]).max() < WIDTH:
                panel.canvas.line([panel.at(*a), panel.at(*b)], blend((204, 218, 243), BLUE, i / len(steps)), 0.9)
    for point in spirals(random_stream(5), 300):
        panel.canvas.dot(panel.at(*point), ORANGE, 1.5)
    for point in seen[-1]:
        panel.canvas.dot(panel.at(*point), INK, 1.4)
    panel.frame()

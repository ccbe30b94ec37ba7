"""Points in the plane learn as images do."""

from __future__ import annotations

import numpy as np
import pytest

from minidiff.backend import random_stream
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.schedules import Schedule
from minidiff.explain.points import denoiser, train

CENTRES = np.array([[-1.0, 0.5], [1.0, -0.5]])


def two_points(rng, count):
    return (CENTRES[rng.integers(2, size=count)] + 0.05 * rng.standard_normal((count, 2))).astype(np.float32)


@pytest.mark.parametrize(("kind", "schedule"), [("epsilon", Schedule()), ("flow_prediction", Schedule("flow"))])
def test_noise_becomes_data(kind, schedule):
    scheduler = Scheduler("heun", schedule, kind)
    denoise = denoiser(scheduler, train(scheduler, two_points, steps=400))
    steps = scheduler.steps(20)
    x = scheduler.start(random_stream(3).standard_normal((100, 2), np.float32), steps)
    *_, last = scheduler.sample(denoise, x, steps)
    distances = np.linalg.norm(last.x[:, None] - CENTRES, axis=-1)
    assert np.median(distances.min(axis=1)) < 0.3  # 2.2 apart
    assert 30 < (distances.argmin(axis=1) == 0).sum() < 70

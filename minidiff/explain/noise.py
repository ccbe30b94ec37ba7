"""What training shows the UNet: the finished latents with more and more noise, and the schedule that says how much."""

from __future__ import annotations

import numpy as np

from ..backend import random_stream
from ..data.images import bytes_of
from ..data.scenes import to_float
from ..diffusion.objectives import add_noise
from ..diffusion.schedules import Schedule
from ..models.autoencoder import AutoencoderKL
from .images import channels, reduced, rounded, side_by_side
from .run import Run

SOURCES = (add_noise, Schedule.at, AutoencoderKL)
LEVELS, CHANNELS, CURVE = 13, 12, 101


def view(run: Run) -> dict:
    schedule, x0 = run.scheduler.schedule, run.steps[-1].after
    last = len(schedule.sigma) - 1
    times = np.linspace(0, last, LEVELS if run.is_small else 5).round()
    alpha, sigma = schedule.at(times)
    noisy = add_noise(*(np.repeat(a[None], len(times), axis=0) for a in (x0, run.noise)), alpha, sigma)
    decoded = run.decoded(noisy)
    image = to_float(reduced(run.image[None])[0])
    grain = random_stream(run.seed).standard_normal(image.shape, dtype=np.float32)
    pixels = add_noise(*(np.repeat(a[None], len(times), axis=0) for a in (image, grain)), alpha, sigma)
    kept = [channels(one, CHANNELS) for one in noisy]
    curve = np.linspace(0, last, CURVE)
    falling, rising = schedule.at(curve)
    return {
        "times": rounded(times), "alpha": rounded(alpha), "sigma": rounded(sigma),
        "decibels": [decibels(a, s) for a, s in zip(alpha, sigma, strict=True)],
        "curve": {"t": rounded(curve), "alpha": rounded(falling), "sigma": rounded(rising)},
        "pixels": side_by_side(bytes_of(pixels)), "decoded": side_by_side(decoded),
        "channels": [side_by_side(np.stack([one[c] for one in kept])) for c in range(len(kept[0]))],
        "last": last, "factor": run.pipe.vae.config.downsampling,
    }


def decibels(alpha: float, sigma: float) -> float | None:
    """The signal-to-noise ratio, 20 log₁₀(α/σ); None where it is infinite."""
    return float(round(20 * np.log10(alpha / sigma), 1)) if alpha > 0 and sigma > 0 else None

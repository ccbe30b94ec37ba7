"""From noise to image: samplers are generators over `denoise(x, time) -> x0` and a list of steps.

Every sampler here and in multistep.py is one formula, `advance`, with its own estimate of x0. Euler's method on
x / alpha over sigma / alpha (Karras et al., 2206.00364) is DDIM's step written in other coordinates, its ancestral
form is DDPM's, and DPM-Solver++ extrapolates x0 first. So nothing divides by alpha, which may be 0.

`noise(i)` gives standard normal noise shaped like x for step i; deterministic samplers never call it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..backend import normal
from .objectives import denoised as denoised_of
from .objectives import output_of
from .schedules import Time


class Step(NamedTuple):
    """From one moment to a less noisy one."""

    start: Time
    end: Time


class State(NamedTuple):
    """What a sampler yields after step `i`: the time the network was told, the new x, and the x0 it saw."""

    i: int
    t: float
    x: Any
    denoised: Any


def advance(x, denoised, step, eta=0.0, noise=None):
    """x at the end of a step: alpha' x0 + √(sigma'² - f²) eps + f noise, with eps = (x - alpha x0) / sigma.

    f = eta sigma' √(1 - k²) and k = alpha sigma' / (alpha' sigma): eta = 0 is DDIM (Song et al., 2010.02502, eq. 12),
    eta = 1 draws from the exact q(x' | x, x0), which is DDPM (2006.11239, eq. 7).

    x (N, H, W, C), denoised (N, H, W, C) -> y (N, H, W, C)
    """
    start, end = step
    kept = start.alpha * end.sigma / (end.alpha * start.sigma)
    fresh = eta * end.sigma * math.sqrt(max(0.0, 1.0 - kept**2))
    scale = math.sqrt(end.sigma**2 - fresh**2) / start.sigma
    y = scale * x + (end.alpha - scale * start.alpha) * denoised
    return y + fresh * noise if fresh else y


def first_order(denoise, x, steps, noise=None, eta=0.0):
    """DDIM, which is Euler (eta = 0), and DDPM, which is Euler ancestral (eta = 1)."""
    for i, step in enumerate(steps):
        denoised = denoise(x, step.start)
        x = advance(x, denoised, step, eta, noise(i) if eta else None)
        yield State(i, step.start.t, x, denoised)


def ancestral(denoise, x, steps, noise):
    """DDPM and Euler ancestral: first order with all its noise fresh."""
    return first_order(denoise, x, steps, noise, eta=1.0)


def heun(denoise, x, steps, noise=None, average="epsilon"):
    """Take Euler's step, ask again where it ends, go back and take the average slope (Karras et al., algorithm 1).

    The slope is eps over sigma / alpha; for rectified flow average="flow_prediction", the velocity over sigma.
    The last step stays Euler's: the network knows no time beyond it.
    """
    for i, step in enumerate(steps):
        denoised = estimate = denoise(x, step.start)
        if i + 1 < len(steps):
            guess, there = advance(x, denoised, step), steps[i + 1].start
            slopes = slope(average, denoised, x, step.start) + slope(average, denoise(guess, there), guess, there)
            estimate = denoised_of(average, slopes / 2, x, step.start.alpha, step.start.sigma)
        x = advance(x, estimate, step)
        yield State(i, step.start.t, x, denoised)


def slope(kind, denoised, x, time):
    """The network's answer of this kind that means `denoised`."""
    return output_of(kind, denoised, x, time.alpha, time.sigma)


def step_noise(seeds, shape, like=None):
    """`noise(i)` with a stream of its own for every image and step: the same image alone or in a batch.

    The upper half of the generator's 128-bit key is the step, counted from 1; 0 is the starting noise.
    """
    return lambda i: normal([seed + (i + 1 << 64) for seed in seeds], shape, like)

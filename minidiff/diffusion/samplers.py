"""From noise to an image: samplers are generators that take `denoise(x, time) -> x0` and a list of steps.

Every sampler here and in multistep.py uses one formula, `advance`, with its own estimate of x0. Euler's method for
x/α as a function of σ/α (Karras et al., 2206.00364) is DDIM's step in other coordinates, Euler ancestral is DDPM, and
DPM-Solver++ extrapolates x0 first. In this form a step from pure noise, where α = 0, needs no division by α.

`noise(i)` is standard normal noise of x's shape for step i. Deterministic samplers never call it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..backend import normal
from .objectives import denoised as denoised_of
from .objectives import output_of
from .schedules import Time


class Step(NamedTuple):
    """From one time to a less noisy one."""

    start: Time
    end: Time


class State(NamedTuple):
    """What a sampler yields after step `i`: the time it called the network with, the new x, and the estimated x0."""

    i: int
    t: float
    x: Any
    denoised: Any


def advance(x, denoised, step, eta=0.0, noise=None):
    """x at the end of a step: x' = α' x0 + √(σ'² − f²) ε + f noise, with ε = (x − α x0) / σ.

    f = η σ' √(1 − k²) with k = α σ' / (α' σ). η = 0 is DDIM (Song et al., 2010.02502, eq. 12), and η = 1 draws from
    the exact posterior q(x' | x, x0), which is DDPM (2006.11239, eq. 7).

    x (N, H, W, C), denoised (N, H, W, C) -> y (N, H, W, C)
    """
    start, end = step
    kept = start.alpha * end.sigma / (end.alpha * start.sigma)
    fresh = eta * end.sigma * math.sqrt(max(0.0, 1.0 - kept**2))
    scale = math.sqrt(end.sigma**2 - fresh**2) / start.sigma
    y = scale * x + (end.alpha - scale * start.alpha) * denoised
    return y + fresh * noise if fresh else y


def first_order(denoise, x, steps, noise=None, eta=0.0):
    """DDIM, which equals Euler, for η = 0; DDPM, which equals Euler ancestral, for η = 1."""
    for i, step in enumerate(steps):
        denoised = denoise(x, step.start)
        x = advance(x, denoised, step, eta, noise(i) if eta else None)
        yield State(i, step.start.t, x, denoised)


def ancestral(denoise, x, steps, noise):
    """DDPM and Euler ancestral: first order, with η = 1."""
    return first_order(denoise, x, steps, noise, eta=1.0)


def heun(denoise, x, steps, noise=None, average="epsilon"):
    """Take Euler's step, call the network at its end, then repeat the step with the mean of both slopes.

    (Karras et al., algorithm 1.) The slope is ε, which is d(x/α)/dr with r = σ/α; for rectified flow, average =
    "flow_prediction", the velocity dx/dσ. The last step remains Euler's, as the network knows no time at its end.
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
    """The answer of this kind from which x0 would be `denoised`."""
    return output_of(kind, denoised, x, time.alpha, time.sigma)


def step_noise(seeds, x):
    """`noise(i)` from a random stream of its own for each image and step, so an image is the same alone or in a batch.

    It is like x (N, H, W, C). Its purpose is i + 1, and that of the starting noise is 0, so no step repeats it.
    """
    return lambda i: normal(seeds, x.shape[1:], x, i + 1).astype(x.dtype, copy=False)

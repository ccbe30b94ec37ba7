"""Multistep samplers: earlier answers of the network give a higher order at one call per step.

Each improves the estimate of x0 that `advance` gets. λ = ln(α/σ), and h is the length of a step in λ.
"""

from __future__ import annotations

import math

import numpy as np

from .objectives import denoised as denoised_of
from .samplers import State, advance, slope

ADAMS_BASHFORTH = ((1,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def pndm(denoise, x, steps, noise=None, average="epsilon"):
    """Adams-Bashforth on the network's last four answers (Liu et al., 2202.09778, eq. 12; Stable Diffusion's PLMS).

    After the first step there is only one answer, so steps[1] takes this step again from its start, with the average
    of the answers at both of its ends. `average` is the kind of answer that is averaged: what the network predicts.
    """
    beginning, answers = x, []
    for i, step in enumerate(steps):
        here = step.end if i == 1 else step.start
        denoised = denoise(x, here)
        answer = slope(average, denoised, x, here)
        if i == 1:
            x, mean = beginning, (answers[0] + answer) / 2
        else:
            answers = [answer, *answers[:3]]
            mean = sum(weight * a for weight, a in zip(ADAMS_BASHFORTH[len(answers) - 1], answers, strict=True))
        x = advance(x, denoised_of(average, mean, x, step.start.alpha, step.start.sigma), step)
        yield State(i, here.t, x, denoised)


def lms(denoise, x, steps, noise=None, average="epsilon"):
    """Adams-Bashforth of order 4 for uneven steps, the linear multistep method of k-diffusion.

    d(x/α)/dr = ε with r = σ/α, so a step needs the mean of ε over it: that of the cubic in r through the last four ε.
    For rectified flow it is the velocity, dx/dσ, that is averaged over σ. The first steps have fewer answers: the first
    is Euler's, and with many steps its error, of order 2, is what remains.
    """
    places, answers = [], []
    for i, step in enumerate(steps):
        denoised = denoise(x, step.start)
        start, end = (time.sigma / (1.0 if average == "flow_prediction" else time.alpha) for time in step)
        places = [start, *places[:3]]
        answers = [slope(average, denoised, x, step.start), *answers[:3]]
        mean = sum(weight * a for weight, a in zip(lagrange_means(places, end), answers, strict=True))
        x = advance(x, denoised_of(average, mean, x, step.start.alpha, step.start.sigma), step)
        yield State(i, step.start.t, x, denoised)


def lagrange_means(places, end):
    """The mean of each Lagrange polynomial of `places` from places[0] to end. Two Gauss points are exact for cubics."""
    nodes = [places[0] + (end - places[0]) * (1 + sign / math.sqrt(3)) / 2 for sign in (-1, 1)]
    return [sum(math.prod((node - other) / (place - other) for other in places if other != place) for node in nodes) / 2
            for place in places]


def dpm_solver(denoise, x, steps, noise, order, lower_order_final, eta=0.0):
    """DPM-Solver++ 2M (Lu et al., 2211.01095, algorithm 2), or with η = 1 its stochastic form.

    x0 + h / (2 h') (x0 − previous x0), with h' the previous step's length, is x0 extrapolated to the middle of the
    step. The last step is of first order if it ends without noise, where h is infinite, or, with `lower_order_final`,
    if there are fewer than 15. (diffusers also counts those that a run from an image leaves out.)
    """
    previous = None
    for i, step in enumerate(steps):
        denoised = estimate = denoise(x, step.start)
        last = i + 1 == len(steps) and lower_order_final and len(steps) < 15
        if order == 2 and i > 0 and not last and step.end.sigma > 0:
            h, before = length(step), step.start.log_ratio - steps[i - 1].start.log_ratio
            estimate = denoised + (h / (2 * before)) * (denoised - previous)
        x = advance(x, estimate, step, eta, noise(i) if eta else None)
        previous = denoised
        yield State(i, step.start.t, x, denoised)


def dpm_solver_sde(denoise, x, steps, noise, order, lower_order_final):
    """DPM-Solver++ 2M with all its noise drawn anew in every step."""
    return dpm_solver(denoise, x, steps, noise, order, lower_order_final, eta=1.0)


def unipc(denoise, x, steps, noise, order, lower_order_final):
    """Predict the next x with UniP-p, then correct it with UniC-p (Zhao et al., 2302.04867).

    The correction uses the network's answer at the predicted x. The next step uses the same answer, so there is still
    one call per step.
    """
    used, past, before = 0, [], None
    for i, step in enumerate(steps):
        denoised = denoise(x, step.start)
        if i > 0:
            known = [*past[1:used], (step.start.log_ratio, denoised)]
            x = advance(before, unified(past[0], known, length(steps[i - 1])), steps[i - 1])
        past = [(step.start.log_ratio, denoised), *past[: order - 1]]
        remaining = len(steps) - i if lower_order_final else order
        used = min(order, i + 1, remaining) if 0 < length(step) < math.inf else 1
        before, x = x, advance(x, unified(past[0], past[1:used], length(step)), step)
        yield State(i, step.start.t, x, denoised)


def unified(base, others, h):
    """UniPC's estimate of x0: x0 + Σ ρ_j (x0_j − x0) / r_j, with r_j = (λ_j − λ) / h.

    `base` is (λ, x0), and `others` are the (λ_j, x0_j). ρ solves Σ_j ρ_j r_j^(k−1) = b_k for k = 1, 2, ..., which makes
    the step exact where x0 is a polynomial in λ (eq. 5). A single ρ is 1/2, which keeps the order (appendix F).
    """
    start, estimate = base
    ratios = [(moment - start) / h for moment, _ in others]
    if len(ratios) > 1:
        powers = np.vander(ratios, increasing=True).T
        weights = np.linalg.solve(powers, moments(h, len(ratios))).tolist()
    else:
        weights = [0.5] * len(ratios)
    for weight, ratio, (_, other) in zip(weights, ratios, others, strict=True):
        estimate = estimate + (weight / ratio) * (other - base[1])
    return estimate


def moments(h, count):
    """b_k, the mean of the k-th power of a step's fraction, weighted by e^λ, for k = 1 ... count.

    b_k = k! z φ_{k+1}(z) / (e^z − 1) with z = −h, φ_1 = (e^z − 1) / z and φ_{k+1} = (φ_k − 1/k!) / z.
    """
    z, values = -h, []
    phi = math.expm1(z) / z
    for k in range(1, count + 1):
        phi = (phi - 1 / math.factorial(k)) / z
        values.append(math.factorial(k) * z * phi / math.expm1(z))
    return values


def length(step):
    """h of a step: its length in λ."""
    return step.end.log_ratio - step.start.log_ratio

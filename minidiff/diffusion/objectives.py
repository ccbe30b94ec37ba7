"""What a network is trained to say, and x0 from what it says: one algebra for noise, v, x0 and flow velocity.

A network that sees x = alpha x0 + sigma eps predicts y = p x0 + q eps:

    epsilon           p = 0,       q = 1
    sample            p = 1,       q = 0
    v_prediction      p = -sigma,  q = alpha     (Salimans & Ho, 2202.00512)
    flow_prediction   p = -1,      q = 1         (rectified flow, 2209.03003)

Two equations, two unknowns: x0 = (q x - sigma y) / (q alpha - p sigma). The names are scheduler_config.json's.
`alpha` and `sigma` are floats, or arrays with one number per image.
"""

from __future__ import annotations

import numpy as np

from ..backend import array_module
from ..errors import UserError
from .schedules import shifted

KINDS = ("epsilon", "v_prediction", "sample", "flow_prediction")
WEIGHTINGS = ("uniform", "min_snr", "sqrt_snr")


def add_noise(x0, noise, alpha, sigma):
    """alpha x0 + sigma noise.

    x0 (N, H, W, C), noise (N, H, W, C), alpha (N,), sigma (N,) -> x (N, H, W, C)
    """
    return per_image(alpha, x0) * x0 + per_image(sigma, x0) * noise


def target(kind, x0, noise, alpha, sigma):
    """p x0 + q noise: what the network should answer.

    x0 (N, H, W, C), noise (N, H, W, C), alpha (N,), sigma (N,) -> y (N, H, W, C)
    """
    p, q = mixture(kind, alpha, sigma)
    return per_image(p, x0) * x0 + per_image(q, x0) * noise


def denoised(kind, output, x, alpha, sigma):
    """x0 from the network's answer y: (q x - sigma y) / (q alpha - p sigma). Noise alone (epsilon) needs alpha > 0.

    output (N, H, W, C), x (N, H, W, C), alpha (N,), sigma (N,) -> x0 (N, H, W, C)
    """
    if kind == "sample":
        return output
    p, q = mixture(kind, alpha, sigma)
    determinant = q * alpha - p * sigma
    return per_image(q / determinant, x) * x - per_image(sigma / determinant, x) * output


def output_of(kind, x0, x, alpha, sigma):
    """The answer that `denoised` turns into x0: p x0 + q (x - alpha x0) / sigma. Needs sigma > 0 but for x0 itself.

    x0 (N, H, W, C), x (N, H, W, C), alpha (N,), sigma (N,) -> y (N, H, W, C)
    """
    if kind == "sample":
        return x0
    p, q = mixture(kind, alpha, sigma)
    return per_image(q / sigma, x) * x + per_image(p - q * alpha / sigma, x) * x0


def mixture(kind, alpha, sigma):
    """(p, q) of the answer y = p x0 + q eps."""
    if kind == "epsilon":
        return 0.0, 1.0
    if kind == "sample":
        return 1.0, 0.0
    if kind == "v_prediction":
        return -sigma, alpha
    if kind == "flow_prediction":
        return -1.0, 1.0
    raise UserError(f"unknown prediction_type {kind!r}: use one of {', '.join(KINDS)}")


def min_snr_weight(kind, alpha, sigma, gamma=5.0):
    """min(SNR, gamma) as the weight of the error of x0, in terms of the error of the answer (Hang et al., 2303.09556).

    SNR = alpha² / sigma². An error dy of the answer is an error sigma dy / (q alpha - p sigma) of x0. Written so that
    it is finite at both ends: min(SNR, gamma) = gamma alpha² / max(alpha², gamma sigma²).

    alpha (N,), sigma (N,) -> weight (N,)
    """
    xp = array_module(alpha)
    signal, noise = alpha**2, sigma**2
    p, q = mixture(kind, alpha, sigma)
    if kind == "epsilon":
        share = noise
    elif kind == "sample":
        share = signal
    else:
        share = signal * noise / (q * alpha - p * sigma) ** 2
    return gamma * share / xp.maximum(signal, gamma * noise)


def sqrt_snr_weight(kind, alpha, sigma, least=0.05):
    """√SNR as the weight of the error of x0, which is 1 / √SNR as that of the noise's (Yu et al., 2310.08442).

    For v and flow, alpha sigma. Not less than `least`: what is made of pure noise, by the caption alone, counts too.
    Noise alone (epsilon) needs alpha > 0, x0 alone (sample) sigma > 0.

    alpha (N,), sigma (N,) -> weight (N,)
    """
    p, q = mixture(kind, alpha, sigma)
    return array_module(alpha).maximum(alpha * sigma, least * sigma**2) / (q * alpha - p * sigma) ** 2


def loss_weight(weighting, kind, alpha, sigma):
    """The weight of each answer's squared error, by the weighting's name: uniform is 1.

    alpha (N,), sigma (N,) -> weight (N,)
    """
    if weighting == "uniform":
        return array_module(alpha).ones_like(alpha)
    if weighting == "min_snr":
        return min_snr_weight(kind, alpha, sigma)
    if weighting == "sqrt_snr":
        return sqrt_snr_weight(kind, alpha, sigma)
    raise UserError(f"unknown weighting {weighting!r}: use one of {', '.join(WEIGHTINGS)}")


def draw_times(schedule, rng, count, shift=1.0, middle=0.0):
    """Training times, whole ones for a table: u uniform, or logit-normal 1 / (1 + exp(-N(0, 1))) for a share `middle`.

    A shift above 1 moves them towards noise, where a caption decides: first the places of the objects, then their
    colours, then their shapes. The middle of a flow is sigma / alpha = shift (Esser et al., 2403.03206, section 3.1).

    -> t (N,)
    """
    logit_normal = 1 / (1 + np.exp(-rng.standard_normal(count)))
    times = np.where(rng.random(count) < middle, logit_normal, rng.random(count))
    times = schedule.num_train_timesteps * shifted(times, shift)
    return times if schedule.is_flow else times.astype(np.int64)


def per_image(coefficient, x):
    """A coefficient that multiplies x: a float as it is, one number per image as (N, 1, 1, 1) in x's precision."""
    if isinstance(coefficient, (int, float)):
        return float(coefficient)
    return coefficient.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1))

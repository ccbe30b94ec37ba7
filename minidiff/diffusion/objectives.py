"""What a network predicts, and how to get x0 from it: one algebra for noise, x0, v and flow velocity.

A network that sees x = α x0 + σ ε predicts y = p x0 + q ε:

    epsilon           p = 0,    q = 1
    sample            p = 1,    q = 0
    v_prediction      p = −σ,   q = α     (Salimans & Ho, 2202.00512)
    flow_prediction   p = −1,   q = 1     (rectified flow, 2209.03003)

These two equations in x0 and ε give x0 = (q x − σ y) / (q α − p σ). The names are those of scheduler_config.json.
`alpha` and `sigma` are floats, or arrays with one value per image.
"""

from __future__ import annotations

import numpy as np

from ..backend import array_module
from ..errors import UserError
from .schedules import shifted

KINDS = ("epsilon", "v_prediction", "sample", "flow_prediction")
WEIGHTINGS = ("uniform", "min_snr", "sqrt_snr")


def add_noise(x0, noise, alpha, sigma):
    """x = α x0 + σ noise.

    x0 (N, H, W, C), noise (N, H, W, C), alpha (N,), sigma (N,) -> x (N, H, W, C)
    """
    return per_image(alpha, x0) * x0 + per_image(sigma, x0) * noise


def target(kind, x0, noise, alpha, sigma):
    """y = p x0 + q noise: what the network should predict.

    x0 (N, H, W, C), noise (N, H, W, C), alpha (N,), sigma (N,) -> y (N, H, W, C)
    """
    p, q = mixture(kind, alpha, sigma)
    return per_image(p, x0) * x0 + per_image(q, x0) * noise


def denoised(kind, output, x, alpha, sigma):
    """x0 = (q x − σ y) / (q α − p σ) from the network's answer y. A network that predicts ε needs α > 0.

    output (N, H, W, C), x (N, H, W, C), alpha (N,), sigma (N,) -> x0 (N, H, W, C)
    """
    if kind == "sample":
        return output
    p, q = mixture(kind, alpha, sigma)
    determinant = q * alpha - p * sigma
    return per_image(q / determinant, x) * x - per_image(sigma / determinant, x) * output


def output_of(kind, x0, x, alpha, sigma):
    """y = p x0 + q (x − α x0) / σ, the inverse of `denoised`. Needs σ > 0, except for "sample".

    x0 (N, H, W, C), x (N, H, W, C), alpha (N,), sigma (N,) -> y (N, H, W, C)
    """
    if kind == "sample":
        return x0
    p, q = mixture(kind, alpha, sigma)
    return per_image(q / sigma, x) * x + per_image(p - q * alpha / sigma, x) * x0


def mixture(kind, alpha, sigma):
    """(p, q) of the answer y = p x0 + q ε."""
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
    """The weight of the answer's squared error that weighs x0's squared error by min(SNR, γ) (Hang et al., 2303.09556).

    SNR = α²/σ², and an error δ of the answer is an error σ δ / (q α − p σ) of x0, so the weight is
    min(SNR, γ) σ² / (q α − p σ)². With min(SNR, γ) = γ α² / max(α², γ σ²) it is finite for σ = 0 and α = 0 too.

    alpha (N,), sigma (N,) -> weight (N,)
    """
    xp = array_module(alpha)
    signal, noise = alpha**2, sigma**2
    p, q = mixture(kind, alpha, sigma)
    if kind == "epsilon":
        scaled = noise
    elif kind == "sample":
        scaled = signal
    else:
        scaled = signal * noise / (q * alpha - p * sigma) ** 2
    return gamma * scaled / xp.maximum(signal, gamma * noise)


def sqrt_snr_weight(kind, alpha, sigma, least=0.05):
    """The weight of the answer's squared error that weighs x0's squared error by √SNR = α/σ (Yu et al., 2310.08442).

    As above the weight is √SNR σ² / (q α − p σ)²: σ/α for ε, α/σ for x0, and α σ for v and the flow velocity. √SNR is
    at least `least`: near pure noise the network has only the caption to go by, and what it makes of it should count.
    "epsilon" needs α > 0, and "sample" needs σ > 0.

    alpha (N,), sigma (N,) -> weight (N,)
    """
    p, q = mixture(kind, alpha, sigma)
    return array_module(alpha).maximum(alpha * sigma, least * sigma**2) / (q * alpha - p * sigma) ** 2


def loss_weight(weighting, kind, alpha, sigma):
    """The weight of each answer's squared error under this weighting: 1 for "uniform".

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
    """Random training times: uniform, but for a fraction `middle` logit-normal, 1 / (1 + exp(−N(0, 1))); then shifted.

    A shift above 1 moves them towards noise, where the caption matters: first for where the objects are, then for
    their colours, then for their shapes. For rectified flow the logit-normal times are centred on σ/α = shift (Esser
    et al., 2403.03206, section 3.1). For a table, times are whole numbers.

    -> t (N,)
    """
    logit_normal = 1 / (1 + np.exp(-rng.standard_normal(count)))
    times = np.where(rng.random(count) < middle, logit_normal, rng.random(count))
    times = schedule.num_train_timesteps * shifted(times, shift)
    return times if schedule.is_flow else times.astype(np.int64)


def per_image(coefficient, x):
    """A coefficient that multiplies x: a float as it is, one value per image as (N, 1, 1, 1) in x's precision."""
    if isinstance(coefficient, (int, float)):
        return float(coefficient)
    return coefficient.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1))

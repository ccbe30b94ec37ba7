"""How much signal and how much noise there is at each training time: x = α(t) x0 + σ(t) ε.

Stable Diffusion's variance-preserving tables, the same with zero terminal SNR, and rectified flow differ only in this
table. It is computed in float64: in float32 the product of 1000 factors is off by 2e-6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

import numpy as np

from ..backend import array_module
from ..errors import UserError
from ..fields import Between, Checked

KINDS = ("linear", "scaled_linear", "squaredcos_cap_v2", "flow")
MOST_TIMES = 10_000
Beta = Annotated[float, Between(1e-8, 1, open=True)]
SMALLEST_SIGNAL = 2.0**-48  # α² at the end of a schedule without zero terminal SNR: float32 still tells it from 0
SMALLEST_ALPHA = 2.0**-12  # replaces α = 0 where samplers use σ/α, as in diffusers


class Time(NamedTuple):
    """A time of the diffusion: the network gets x = α x0 + σ ε together with `t`."""

    t: float
    alpha: float
    sigma: float

    @property
    def log_ratio(self) -> float:
        """λ = ln(α/σ), half the logarithm of the signal-to-noise ratio; infinite for α = 0 and for σ = 0."""
        if self.sigma == 0:
            return math.inf
        return math.log(self.alpha / self.sigma) if self.alpha > 0 else -math.inf


@dataclass(frozen=True)
class Schedule(Checked):
    """α and σ of every training time. Fields are named as in scheduler_config.json; "flow" needs no betas."""

    beta_schedule: Literal[KINDS] = "scaled_linear"
    beta_start: Beta = 0.00085
    beta_end: Beta = 0.012
    rescale_betas_zero_snr: bool = False
    num_train_timesteps: Annotated[int, Between(2, MOST_TIMES)] = 1000
    trained_betas: Annotated[tuple[Beta, ...], Between(2, MOST_TIMES)] | None = None

    def __post_init__(self):
        super().__post_init__()
        given = self.num_train_timesteps if self.trained_betas is None else len(self.trained_betas)
        if given != self.num_train_timesteps:
            raise UserError(f"trained_betas has {given} numbers: use as many as num_train_timesteps, which is "
                            f"{self.num_train_timesteps}")
        if not self.is_flow and np.prod(1.0 - betas(self)) < SMALLEST_SIGNAL:
            if self.trained_betas is not None:
                raise UserError(f"the {given} trained_betas leave nothing of an image: use smaller ones")
            raise UserError(f"{self.num_train_timesteps} steps from beta_start = {self.beta_start} to beta_end = "
                            f"{self.beta_end} leave nothing of an image: use fewer steps, or smaller betas")

    @property
    def is_flow(self) -> bool:
        return self.beta_schedule == "flow"

    @cached_property
    def alpha(self) -> np.ndarray:
        """α at t = 0, 1, 2, ..., float64: the square root of the product of the 1 − β so far; for flow 1 − σ."""
        if self.is_flow:
            return 1.0 - self.sigma
        alpha = np.sqrt(np.cumprod(1.0 - betas(self)))
        return zero_terminal_snr(alpha) if self.rescale_betas_zero_snr else alpha

    @cached_property
    def sigma(self) -> np.ndarray:
        """σ at t = 0, 1, 2, ..., float64: √(1 − α²); for flow t / num_train_timesteps, from 0 to 1 inclusive."""
        if self.is_flow:
            return np.arange(self.num_train_timesteps + 1) / self.num_train_timesteps
        return np.sqrt(1.0 - self.alpha**2)

    @cached_property
    def ratio(self) -> np.ndarray:
        """σ/α at t = 0, 1, 2, ...; 4096 instead of infinity where α is 0."""
        alpha = np.where(self.alpha > 0, self.alpha, SMALLEST_ALPHA)
        sigma = np.where(self.alpha > 0, self.sigma, np.sqrt(1.0 - SMALLEST_ALPHA**2))
        return sigma / alpha

    def at(self, t):
        """(α, σ) at training times: two floats for a single time, two float64 arrays for an array.

        Whole times are looked up in the table. Between them σ/α is interpolated linearly, as in the published samplers.
        For flow α and σ are linear in t.
        """
        xp = array_module(t)
        times = xp.asarray(t, dtype=np.float64)
        if self.is_flow:
            sigma = times / self.num_train_timesteps
            alpha = 1.0 - sigma
        else:
            whole = xp.rint(times).astype(np.int64)
            ratio = xp.interp(times, xp.arange(len(self.ratio), dtype=np.float64), xp.asarray(self.ratio))
            alpha = xp.where(times == whole, xp.asarray(self.alpha)[whole], 1.0 / xp.sqrt(1.0 + ratio**2))
            sigma = xp.where(times == whole, xp.asarray(self.sigma)[whole], ratio / xp.sqrt(1.0 + ratio**2))
        return (alpha, sigma) if times.ndim else (float(alpha), float(sigma))


def betas(schedule: Schedule) -> np.ndarray:
    """β, the variance that each training step adds: a list, or linear, linear in √β (Stable Diffusion), or cosine.

    Cosine: Nichol & Dhariwal 2021 (2102.09672), eq. 17.
    """
    count, start, end = schedule.num_train_timesteps, schedule.beta_start, schedule.beta_end
    if schedule.trained_betas is not None:
        return np.array(schedule.trained_betas)
    if schedule.beta_schedule == "linear":
        return np.linspace(start, end, count)
    if schedule.beta_schedule == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, count) ** 2
    signal = np.cos((np.arange(count + 1) / count + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1.0 - signal[1:] / signal[:-1], 0.999)


def zero_terminal_snr(alpha: np.ndarray) -> np.ndarray:
    """Shift and scale α so that its first value is kept and its last is 0 (Lin et al., 2305.08891, algorithm 1).

    alpha (T,) -> y (T,)
    """
    return (alpha - alpha[-1]) * (alpha[0] / (alpha[0] - alpha[-1]))


def shifted(times, shift):
    """shift t / (1 + (shift − 1) t) for times t from 0 to 1 of rectified flow (Esser et al., 2403.03206, eq. 23).

    t (N,) -> t (N,)
    """
    return shift * times / (1 + (shift - 1) * times)

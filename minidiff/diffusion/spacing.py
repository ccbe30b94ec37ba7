"""Which times a run of n steps visits, for the three families of published samplers.

The families differ in details that change images, so they are kept as published (diffusers 0.42):

whole    DDPM, DDIM, PNDM             whole training times
ratios   Euler, ancestral, Heun       any times, sigma / alpha interpolated between them
solvers  DPM-Solver++, UniPC          whole times, one point more that is never visited
"""

from __future__ import annotations

import numpy as np

from .samplers import Step
from .schedules import Time, shifted

WHOLE, RATIOS, SOLVERS = "whole", "ratios", "solvers"
SPACINGS = ("leading", "trailing", "linspace")
CLEAN = Time(0.0, 1.0, 0.0)
FLOW_START = 1 - 1e-6  # just below pure noise, where ln(alpha / sigma) is finite


def spaced(spacing, total, points, visited, offset):
    """`visited` times in falling order, out of `points` over 0 ... total - 1 (Lin et al., 2305.08891, table 2)."""
    if spacing == "linspace":
        return np.linspace(0, total - 1, points)[::-1][:visited]
    if spacing == "leading":
        return (np.arange(points) * (total // points))[::-1][:visited] + offset
    return np.arange(total, 0, -total / visited)[:visited].round() - 1


def whole_steps(schedule, n, spacing, offset, last, stride):
    """Steps between whole times. A `stride` is how far each goes, whatever time comes next (DDIM's and PNDM's rule)."""
    times = spaced(spacing, schedule.num_train_timesteps, n, n, offset).round().astype(int)
    ends = times - stride if stride else np.append(times[1:], -1)
    return [Step(whole_time(schedule, t), last if end < 0 else whole_time(schedule, end))
            for t, end in zip(times.tolist(), ends.tolist(), strict=True)]


def whole_time(schedule, t):
    """The table at t; a time beyond its end (offset 1 with 1000 steps) is its end."""
    t = min(t, schedule.num_train_timesteps - 1)
    return Time(float(t), *schedule.at(t))


def second_repeated(steps, schedule, stride):
    """PNDM's extra step: where the second begins, from a stride before (the first time, if that is a stride away)."""
    if len(steps) < 2:
        return steps
    there = steps[1].start
    before = steps[0].start if schedule.is_flow else whole_time(schedule, int(there.t) + stride)
    return [steps[0], Step(before, there), *steps[1:]]


def ratio_steps(schedule, n, spacing, offset, last, karras):
    """Steps between times, whole or not; Karras's grid spans the first and the last of them."""
    times = spaced(spacing, schedule.num_train_timesteps, n, n, offset)
    ratios = np.interp(times, np.arange(len(schedule.ratio)), schedule.ratio)
    if karras:
        ratios = karras_ratios(ratios[-1], ratios[0], n)
        times = times_of(schedule, ratios)
    return chained(times, ratios, last)


def solver_steps(schedule, n, spacing, offset, last, karras):
    """Steps between whole times; Karras's grid spans the whole table."""
    if karras:
        ratios = karras_ratios(schedule.ratio[0], schedule.ratio[-1], n)
        return chained(times_of(schedule, ratios).round(), ratios, last)
    times = spaced(spacing, schedule.num_train_timesteps, n + 1, n, offset).round()
    return chained(times, np.interp(times, np.arange(len(schedule.ratio)), schedule.ratio), last)


def flow_steps(schedule, n, shift, below_one):
    """Steps along the straight line x = (1 - sigma) x0 + sigma eps, from noise to sigma = 0.

    sigma is evenly spaced, then shifted. Published:
    DPM-Solver++ starts at 0.999 (`below_one`), UniPC at 1 - 1e-6; the network is told whole times; and sigma is
    rounded to float32, where 1 - sigma is 1.3 % off at the start, which the second step's extrapolation shows.
    """
    total = schedule.num_train_timesteps
    sigmas = (1 - np.linspace(1, 1 / total, n + 1))[:0:-1] if below_one else np.linspace(1, 1 / total, n + 1)[:-1]
    sigmas = np.minimum(shifted(sigmas, shift), FLOW_START)
    times = np.floor(sigmas * total).tolist()
    sigmas = sigmas.astype(np.float32).astype(np.float64).tolist()
    points = [Time(t, 1 - sigma, sigma) for t, sigma in zip(times, sigmas, strict=True)]
    return list(map(Step, points, [*points[1:], CLEAN]))


def chained(times, ratios, last):
    """Variance-preserving steps from one sigma / alpha to the next, then to `last`."""
    alphas = 1 / np.sqrt(1 + ratios**2)
    points = list(map(Time, times.tolist(), alphas.tolist(), (ratios * alphas).tolist()))
    return list(map(Step, points, [*points[1:], last]))


def karras_ratios(low, high, n, rho=7.0):
    """From high to low, evenly spaced in the rho-th root (Karras et al., 2206.00364, eq. 5)."""
    return np.linspace(high ** (1 / rho), low ** (1 / rho), n) ** rho


def times_of(schedule, ratios):
    """The (fractional) training times that have these sigma / alpha, by their logarithms."""
    return np.interp(np.log(ratios), np.log(schedule.ratio), np.arange(len(schedule.ratio)))

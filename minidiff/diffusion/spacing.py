"""Which times a run of n steps visits, for the three families of published samplers.

The families differ in details that change images, so each is kept as published (diffusers 0.42):

whole    DDPM, DDIM, PNDM                    whole training times
ratios   Euler, Euler ancestral, Heun, LMS   any times; between whole ones σ/α is interpolated
solvers  DPM-Solver++, UniPC                 whole times out of n + 1, the last of which is never visited
"""

from __future__ import annotations

import numpy as np

from .samplers import Step
from .schedules import Time, shifted

WHOLE, RATIOS, SOLVERS = "whole", "ratios", "solvers"
SPACINGS = ("leading", "trailing", "linspace")
CLEAN = Time(0.0, 1.0, 0.0)
FLOW_START = 1 - 1e-6  # σ just below that of pure noise, where λ = ln(α/σ) is still finite


def spaced(spacing, total, points, visited, offset):
    """The `visited` largest of `points` times over 0 ... total − 1, falling (Lin et al., 2305.08891, table 2)."""
    if spacing == "linspace":
        return np.linspace(0, total - 1, points)[::-1][:visited]
    if spacing == "leading":
        return (np.arange(points) * (total // points))[::-1][:visited] + offset
    return np.arange(total, 0, -total / visited)[:visited].round() - 1


def whole_steps(schedule, n, spacing, offset, last, stride):
    """Steps between whole times. With a `stride` each step is that long, wherever the next one starts (DDIM, PNDM)."""
    times = spaced(spacing, schedule.num_train_timesteps, n, n, offset).round().astype(int)
    ends = times - stride if stride else np.append(times[1:], -1)
    return [Step(whole_time(schedule, t), last if end < 0 else whole_time(schedule, end))
            for t, end in zip(times.tolist(), ends.tolist(), strict=True)]


def whole_time(schedule, t):
    """The table at t, or at its end for a time beyond it, as an offset of 1 gives with 1000 steps."""
    t = min(t, schedule.num_train_timesteps - 1)
    return Time(float(t), *schedule.at(t))


def moving(steps):
    """Without steps that go nowhere: an offset puts the first times of nearly as many steps as times beyond the table.

    The last step stays: where the cleanest time is not quite clean, it may have no length.
    """
    return [step for step in steps[:-1] if step.start[1:] != step.end[1:]] + steps[-1:]


def first_repeated(steps, schedule, stride, skipped=0):
    """PNDM takes its first step twice: the extra one ends where the second begins, and starts a stride before that.

    A run that starts from an image skips the first entries of this list of n + 1, as in diffusers: it asks once more at
    an earlier time than other samplers do, and repeats the first of what is left.
    """
    steps = [*steps[:2], *steps[1:]][skipped:]
    if len(steps) < 2:
        return steps
    there = steps[1].start
    before = steps[0].start if schedule.is_flow else whole_time(schedule, int(there.t) + stride)
    return [steps[0], Step(before, there), *steps[2:]]


def ratio_steps(schedule, n, spacing, offset, last, karras):
    """Steps between times that need not be whole. Karras's grid goes from the first of them to the last."""
    times = spaced(spacing, schedule.num_train_timesteps, n, n, offset)
    ratios = np.interp(times, np.arange(len(schedule.ratio)), schedule.ratio)
    if karras:
        ratios = karras_ratios(ratios[-1], ratios[0], n)
        times = times_of(schedule, ratios)
    return chained(times, ratios, last)


def solver_steps(schedule, n, spacing, offset, last, karras):
    """Steps between whole times. Karras's grid spans the whole table, and the network gets the nearest whole times.

    (diffusers rounds them down for DPM-Solver++ with squaredcos_cap_v2, and nowhere else.)
    """
    if karras:
        ratios = karras_ratios(schedule.ratio[0], schedule.ratio[-1], n)
        return chained(times_of(schedule, ratios).round(), ratios, last)
    times = spaced(spacing, schedule.num_train_timesteps, n + 1, n, offset).round()
    return chained(times, np.interp(times, np.arange(len(schedule.ratio)), schedule.ratio), last)


def flow_steps(schedule, n, shift, below_one):
    """Steps of rectified flow, x = (1 − σ) x0 + σ ε, from noise down to σ = 0: σ is evenly spaced, then shifted.

    The rest follows diffusers. UniPC starts at σ = 1, lowered to 1 − 1e-6 so that λ is finite; DPM-Solver++ lays out α
    instead of σ, so it starts below one, at σ = 1 − 1/total. The network gets times rounded down to whole ones. σ is
    rounded to float32: this changes α = 1 − σ at UniPC's start by 1.3 %, and with it the steps that extrapolate from
    there, so without it images would differ.
    """
    total = schedule.num_train_timesteps
    even = np.linspace(1, 1 / total, n + 1)  # σ; or α, which rises during the run and so is read backwards
    sigmas = 1 - even[:0:-1] if below_one else even[:-1]
    sigmas = np.minimum(shifted(sigmas, shift), FLOW_START)
    times = np.floor(sigmas * total).tolist()
    sigmas = sigmas.astype(np.float32).astype(np.float64).tolist()
    points = [Time(t, 1 - sigma, sigma) for t, sigma in zip(times, sigmas, strict=True)]
    return list(map(Step, points, [*points[1:], CLEAN]))


def chained(times, ratios, last):
    """Variance-preserving steps from each σ/α to the next, then to `last`."""
    alphas = 1 / np.sqrt(1 + ratios**2)
    points = list(map(Time, times.tolist(), alphas.tolist(), (ratios * alphas).tolist()))
    return list(map(Step, points, [*points[1:], last]))


def karras_ratios(low, high, n, rho=7.0):
    """n values of σ/α from high to low, evenly spaced in their ρ-th root (Karras et al., 2206.00364, eq. 5)."""
    return np.linspace(high ** (1 / rho), low ** (1 / rho), n) ** rho


def times_of(schedule, ratios):
    """The training times, not always whole, of these values of σ/α, interpolated in ln(σ/α)."""
    return np.interp(np.log(ratios), np.log(schedule.ratio), np.arange(len(schedule.ratio)))

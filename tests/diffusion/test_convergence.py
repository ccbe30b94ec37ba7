"""How fast samplers converge on Gaussian data, where the exact end is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gaussian import S, denoise, deviation, end_of
from numpy.testing import assert_allclose

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.samplers import Step
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.schedules import Schedule, Time

DETERMINISTIC = [name for name, entry in SAMPLERS.items() if not entry.draws_noise]
STOCHASTIC = [name for name, entry in SAMPLERS.items() if entry.draws_noise]


def even_steps(n, flow, run_up):
    """n steps, even in λ (in σ for flow), that leave out the ends, where λ is infinite.

    The first one is divided into `run_up` + 1 steps, each (but the first) as long as all before it together.
    """
    places = np.concatenate([[0.0], 2.0 ** np.arange(-run_up, 1), np.arange(2.0, n + 1)]) / n
    if flow:
        sigmas = 0.95 - 0.9 * places
        alphas = 1 - sigmas
    else:
        ratios = 10 * 0.01**places
        alphas = 1 / np.hypot(1, ratios)
        sigmas = ratios * alphas
    points = [Time(0.0, alpha, sigma) for alpha, sigma in zip(alphas.tolist(), sigmas.tolist(), strict=True)]
    return list(map(Step, points[:-1], points[1:]))


def error(scheduler, n, run_up=10):
    """How far the deviation at the end of n steps is from the exact one, without drawing a single random value.

    Every sampler is linear on Gaussian data: its end is the sum of the start and of each step's noise, each times a
    factor. The images of one batch measure these factors: the first has the start and no noise, each other one starts
    at 0 and gets the noise of one step. The norm over the batch is the deviation of a real run's end.
    """
    steps = even_steps(n, scheduler.schedule.is_flow, run_up)
    if scheduler.entry.repeats_first:
        steps.insert(1, steps[0])
    factors = np.eye(len(steps) + 1)[..., None, None, None]
    end = end_of(scheduler.sample(denoise, deviation(steps[0].start) * factors[0], steps, lambda i: factors[i + 1]))
    return abs(np.linalg.norm(end) / deviation(steps[-1].end) - 1)


@pytest.mark.parametrize("flow", [False, True], ids=["table", "flow"])
@pytest.mark.parametrize(("sampler", "solver_order", "order"), [
    (name, i, order) for name, entry in SAMPLERS.items() for i, order in enumerate(entry.orders, 1)])
def test_order_of_convergence(sampler, solver_order, order, flow):
    """After a run-up: the first steps of a multistep sampler are of lower order, and would hide that of the others."""
    schedule, prediction = (Schedule("flow"), "flow_prediction") if flow else (Schedule(), "epsilon")
    scheduler = Scheduler(sampler, schedule, prediction, solver_order=solver_order, lower_order_final=False)
    coarse, fine = error(scheduler, 160), error(scheduler, 320)
    assert_allclose(math.log2(coarse / fine), order, rtol=0, atol=0.15)


def test_lms_without_a_run_up_has_the_order_of_its_first_step_in_the_end():
    scheduler = Scheduler("lms", Schedule("flow"), "flow_prediction")
    coarse, fine = (error(scheduler, n, run_up=0) for n in (160, 320))
    assert_allclose(math.log2(coarse / fine), 2, rtol=0, atol=0.15)


def test_karras_steps_reach_the_closed_form_as_measured():
    for sampler, expected in (("euler", (0.17, 0.086, 0.044)), ("heun", (0.068, 0.013, 0.0016)),
                              ("dpm++", (0.052, 0.013, 0.0016))):
        scheduler = Scheduler(sampler, use_karras_sigmas=True)
        for n, bound in zip((10, 20, 40), expected, strict=True):
            steps = scheduler.steps(n)
            x = np.full((1, 1, 1, 1), deviation(steps[0].start))
            assert_allclose(abs(end_of(scheduler.sample(denoise, x, steps)).item() / S - 1), bound, rtol=0.05, atol=0)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("flow")], ids=["table", "flow"])
@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_deterministic_samplers_agree_in_the_limit(sampler, schedule):
    scheduler = Scheduler(sampler, schedule, "flow_prediction" if schedule.is_flow else "epsilon",
                          timestep_spacing="trailing")
    steps = scheduler.steps(200)
    x = np.full((1, 1, 1, 1), deviation(steps[0].start))
    end = end_of(scheduler.sample(denoise, x, steps)).item()
    assert_allclose(end, deviation(steps[-1].end), rtol=0.025, atol=0)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("flow")], ids=["table", "flow"])
@pytest.mark.parametrize("sampler", STOCHASTIC)
def test_fresh_noise_ends_with_the_variance_of_the_data_and_forgets_its_start(sampler, schedule):
    scheduler = Scheduler(sampler, schedule, timestep_spacing="trailing")
    steps = scheduler.steps(400)
    rng = np.random.default_rng(0)
    x = deviation(steps[0].start) * rng.standard_normal((1, 100, 200, 1))
    end = end_of(scheduler.sample(denoise, x, steps, lambda i: rng.standard_normal(x.shape)))
    assert_allclose(end.std(), S, rtol=0.025, atol=0)
    assert_allclose((end * x).mean(), steps[0].start.alpha * S**2, rtol=0, atol=0.015)


def test_ddim_at_eta_one_draws_from_the_exact_posterior():
    """With x0 known and ε of unit variance, every x on the way has the variance σ²."""
    steps = Scheduler("ddpm").steps(20)
    rng = np.random.default_rng(1)
    x = steps[0].start.sigma * rng.standard_normal((1, 100, 200, 1))
    noise = [rng.standard_normal(x.shape) for _ in steps]
    for state in SAMPLERS["ddpm"].function(lambda x, time: np.zeros_like(x), x, steps, noise.__getitem__):
        assert_allclose(state.x.std(), steps[state.i].end.sigma, rtol=0.02, atol=1e-12)

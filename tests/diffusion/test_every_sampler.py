"""Samplers on Gaussian data, where the exact denoiser and the exact end are known.

For x0 ~ N(0, s²): denoise(x) = x alpha s² / (alpha² s² + sigma²), and the deterministic path keeps x / std(x).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff.diffusion.guidance import inpainted
from minidiff.diffusion.samplers import Step, step_noise
from minidiff.diffusion.scheduler import SAMPLERS, SOLVERS, STOCHASTIC, Scheduler
from minidiff.diffusion.schedules import Schedule, Time
from minidiff.errors import UserError

S = 0.5
DETERMINISTIC = sorted(set(SAMPLERS) - set(STOCHASTIC))


def denoise(x, time):
    return x * (time.alpha * S**2 / spread(time) ** 2)


def spread(time):
    return math.hypot(time.alpha * S, time.sigma)


def end_of(states):
    *_, last = states
    return last.x


def even_steps(n, flow):
    """n steps without the ends, where lambda is infinite: even in lambda, or in sigma for flow."""
    if flow:
        sigmas = np.linspace(0.95, 0.05, n + 1)
        alphas = 1 - sigmas
    else:
        ratios = np.geomspace(10, 0.1, n + 1)
        alphas = 1 / np.hypot(1, ratios)
        sigmas = ratios * alphas
    points = [Time(0.0, alpha, sigma) for alpha, sigma in zip(alphas.tolist(), sigmas.tolist(), strict=True)]
    return list(map(Step, points[:-1], points[1:]))


def error(sampler, n, flow, **options):
    steps = even_steps(n, flow)
    if sampler == "pndm":
        steps.insert(1, steps[0])
    if sampler in SOLVERS:
        options = {"order": 2, "lower_order_final": True} | options
    x = np.full((1, 1, 1, 1), spread(steps[0].start))
    return abs(end_of(SAMPLERS[sampler](denoise, x, steps, None, **options)).item() / spread(steps[-1].end) - 1)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize(("sampler", "options", "order"), [
    ("ddim", {}, 1),
    ("euler", {}, 1),
    ("heun", {}, 2),
    ("heun", {"average": "flow_prediction"}, 2),
    ("pndm", {}, 2),
    ("dpm++", {"order": 1}, 1),
    ("dpm++", {}, 2),
    ("unipc", {"order": 1}, 2),
    ("unipc", {"lower_order_final": False}, 3),
    ("unipc", {"order": 3, "lower_order_final": False}, 4),
])
def test_order_of_convergence(sampler, options, order, flow):
    coarse, fine = (error(sampler, n, flow, **options) for n in (80, 160))
    assert_allclose(math.log2(coarse / fine), order, rtol=0, atol=0.15)


def test_karras_steps_reach_the_closed_form_as_measured():
    for sampler, expected in (("euler", (0.17, 0.086, 0.044)), ("heun", (0.068, 0.013, 0.0016)),
                              ("dpm++", (0.052, 0.013, 0.0016))):
        scheduler = Scheduler(sampler, use_karras_sigmas=True)
        for n, bound in zip((10, 20, 40), expected, strict=True):
            steps = scheduler.steps(n)
            x = np.full((1, 1, 1, 1), spread(steps[0].start))
            assert_allclose(abs(end_of(scheduler.sample(denoise, x, steps)).item() / S - 1), bound, rtol=0.05, atol=0)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("flow")], ids=["table", "flow"])
@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_deterministic_samplers_agree_in_the_limit(sampler, schedule):
    scheduler = Scheduler(sampler, schedule, "flow_prediction" if schedule.is_flow else "epsilon",
                          timestep_spacing="trailing")
    steps = scheduler.steps(200)
    x = np.full((1, 1, 1, 1), spread(steps[0].start))
    end = end_of(scheduler.sample(denoise, x, steps)).item()
    assert_allclose(end, spread(steps[-1].end), rtol=0.025, atol=0)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule("flow")], ids=["table", "flow"])
@pytest.mark.parametrize("sampler", STOCHASTIC)
def test_fresh_noise_ends_with_the_variance_of_the_data_and_forgets_its_start(sampler, schedule):
    scheduler = Scheduler(sampler, schedule, timestep_spacing="trailing")
    steps = scheduler.steps(400)
    rng = np.random.default_rng(0)
    x = spread(steps[0].start) * rng.standard_normal((1, 100, 200, 1))
    end = end_of(scheduler.sample(denoise, x, steps, lambda i: rng.standard_normal(x.shape)))
    assert_allclose(end.std(), S, rtol=0.025, atol=0)
    assert_allclose((end * x).mean(), steps[0].start.alpha * S**2, rtol=0, atol=0.015)


def test_ddim_at_eta_one_draws_from_the_exact_posterior():
    """With x0 known and eps of unit variance, every x on the way has the variance sigma²."""
    steps = Scheduler("ddpm").steps(20)
    rng = np.random.default_rng(1)
    x = steps[0].start.sigma * rng.standard_normal((1, 100, 200, 1))
    noise = [rng.standard_normal(x.shape) for _ in steps]
    for state in SAMPLERS["ddpm"](lambda x, time: np.zeros_like(x), x, steps, noise.__getitem__):
        assert_allclose(state.x.std(), steps[state.i].end.sigma, rtol=0.02, atol=1e-12)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_zero_terminal_snr_and_every_sampler_stay_finite(sampler, zero_snr):
    schedule = Schedule(rescale_betas_zero_snr=zero_snr)
    scheduler = Scheduler(sampler, schedule, "v_prediction", timestep_spacing="trailing")
    steps = scheduler.steps(6)
    x = scheduler.start(np.random.default_rng(0).standard_normal((2, 3, 4, 1)), steps)
    predict = scheduler.denoiser(lambda x, time: 0.3 * x)
    end = end_of(scheduler.sample(predict, x, steps, lambda i: np.ones_like(x)))
    assert np.isfinite(end).all() and end.std() > 0


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_inputs_are_untouched_and_single_precision_stays(sampler):
    scheduler = Scheduler(sampler)
    steps = scheduler.steps(4)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 1)).astype(np.float32)
    x.flags.writeable = False

    def frozen(x, time):
        y = denoise(x, time)
        y.flags.writeable = False
        return y

    for state in scheduler.sample(frozen, x, steps, lambda i: x):
        assert state.x.dtype == np.float32
        state.x.flags.writeable = False


@pytest.mark.parametrize(("sampler", "calls"), [
    ("ddim", 10), ("pndm", 11), ("euler", 10), ("heun", 19), ("dpm++", 10), ("unipc", 10)])
def test_the_network_is_called_as_often_as_published(sampler, calls):
    asked = []

    def counting(x, time):
        asked.append(time.t)
        return denoise(x, time)

    scheduler = Scheduler(sampler)
    states = list(scheduler.sample(counting, np.ones((1, 2, 3, 1)), scheduler.steps(10)))
    assert len(asked) == calls
    assert [state.t for state in states] == (asked if sampler != "heun" else asked[:1] + asked[2::2])


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_a_image_is_the_same_alone_and_in_a_batch(sampler):
    scheduler = Scheduler(sampler)
    steps, shape = scheduler.steps(5), (3, 4, 2)

    def run(seeds):
        start = np.stack([np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) for seed in seeds])
        return end_of(scheduler.sample(denoise, scheduler.start(start, steps), steps, step_noise(seeds, shape)))

    batch = run([7, 8, 9])
    assert_allclose(run([8]), batch[1:2], rtol=1e-6, atol=1e-7)
    assert abs(batch[0] - batch[1]).max() > 0.01


def test_step_noise_differs_between_steps_and_images():
    noise = step_noise([1, 2], (50, 40, 1))
    first, second = noise(0), noise(1)
    assert_allclose(noise(0), first, rtol=0, atol=0)
    correlations = np.corrcoef([*first.reshape(2, -1), *second.reshape(2, -1)]) - np.eye(4)
    assert abs(correlations).max() < 0.1


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_inpainting_keeps_the_known_part_and_its_noise(sampler):
    scheduler = Scheduler(sampler, Schedule("flow"), "flow_prediction")
    rng = np.random.default_rng(0)
    known, noise = rng.standard_normal((2, 2, 4, 6, 3))
    mask = np.zeros((1, 4, 6, 1))
    mask[:, :, 3:] = 1
    steps = scheduler.steps(8)
    x = scheduler.start(noise, steps, known)
    states = list(scheduler.sample(inpainted(denoise, known, mask), x, steps, lambda i: noise))
    kept = np.broadcast_to(mask == 0, known.shape)
    assert_allclose(states[-1].x[kept], known[kept], rtol=0, atol=1e-9)
    assert abs(states[-1].x - known)[~kept].mean() > 0.1
    if sampler not in STOCHASTIC:
        end = steps[states[3].i].end
        assert_allclose(states[3].x[kept], (end.alpha * known + end.sigma * noise)[kept], rtol=0, atol=1e-9)


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_a_image_with_noise_comes_back_from_the_middle(sampler):
    scheduler = Scheduler(sampler, set_alpha_to_one=True)
    rng = np.random.default_rng(0)
    image, noise = rng.standard_normal((2, 2, 3, 4, 1))
    steps = scheduler.steps(10, strength=0.5)
    end = end_of(scheduler.sample(lambda x, time: image, scheduler.start(noise, steps, image), steps))
    assert_allclose(end, image, rtol=0, atol=1e-9)
    assert scheduler.start(noise, [], image) is image


def test_unknown_sampler_is_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"'magic'.*ddpm.*unipc"):
        Scheduler("magic")


def test_settings_without_meaning_are_refused():
    with pytest.raises(UserError, match="Karras"):
        Scheduler("ddim", use_karras_sigmas=True)
    with pytest.raises(UserError, match="v_prediction"):
        Scheduler("ddim", Schedule(rescale_betas_zero_snr=True), "epsilon")
    with pytest.raises(UserError, match="solver_order"):
        Scheduler("dpm++", solver_order=3)

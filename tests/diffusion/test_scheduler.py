"""A run's start and part of a run, and what a Scheduler refuses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.schedules import Schedule
from minidiff.diffusion.spacing import SOLVERS
from minidiff.errors import UserError


def test_euler_starts_with_the_published_scale():
    noise = np.full((1, 2, 3, 1), 1.0)
    for spacing, scale in (("linspace", 14.6146), ("leading", 13.1585), ("trailing", 14.6146)):
        scheduler = Scheduler("euler", timestep_spacing=spacing)
        steps = scheduler.steps(50)
        assert_allclose(scheduler.start(noise, steps) / steps[0].start.alpha, scale, rtol=5e-6, atol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_strength_keeps_the_last_steps(sampler):
    scheduler = Scheduler(sampler)
    whole, part = scheduler.steps(10), scheduler.steps(10, strength=0.69)
    assert len(part) == 6 + scheduler.entry.repeats_first
    assert part[-5:] == whole[-5:]
    assert scheduler.steps(10, strength=0.0) == []
    with pytest.raises(UserError, match="from 0 to 1"):
        scheduler.steps(10, strength=1.5)


def test_steps_that_go_nowhere_at_the_start_are_not_missing_in_the_last_ones():
    scheduler = Scheduler("ddim", timestep_spacing="leading", steps_offset=1)
    assert [len(scheduler.steps(1000, strength)) for strength in (1.0, 0.999, 0.5)] == [999, 999, 500]


def test_pndm_skips_the_first_of_its_list_of_n_plus_1_times_as_published():
    times = {strength: [step.start.t for step in Scheduler("pndm").steps(10, strength)] for strength in (1.0, 0.3)}
    assert times[1.0] == [901, 901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
    assert times[0.3] == [301, 301, 101, 1]  # the second asks at its end, 201


@pytest.mark.parametrize("sampler", [name for name, entry in SAMPLERS.items()
                                     if not (entry.draws_noise or entry.repeats_first)])
def test_an_image_with_noise_comes_back_from_the_middle(sampler):
    scheduler = Scheduler(sampler, set_alpha_to_one=True)
    rng = np.random.default_rng(0)
    image, noise = rng.standard_normal((2, 2, 3, 4, 1))
    steps = scheduler.steps(10, strength=0.5)
    *_, last = scheduler.sample(lambda x, time: image, scheduler.start(noise, steps, image), steps)
    assert_allclose(last.x, image, rtol=0, atol=1e-9)
    assert_array_equal(scheduler.start(noise, [], image), image)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("total, n", [(1000, 997), (1000, 998), (1000, 999), (1000, 1000), (10, 9), (10, 10)])
def test_as_many_steps_as_there_are_times_end_at_a_finite_image(sampler, zero_snr, total, n):
    schedule = Schedule(num_train_timesteps=total, rescale_betas_zero_snr=zero_snr)
    image = np.full((1, 2, 2, 1), 0.5)
    for spacing, offset in (("leading", 0), ("leading", 1), ("leading", 3), ("trailing", 1), ("linspace", 1)):
        scheduler = Scheduler(sampler, schedule, "v_prediction", spacing, offset)
        steps = scheduler.steps(min(n, total - (scheduler.entry.family == SOLVERS)))
        x = scheduler.start(np.ones(image.shape), steps)
        *_, last = scheduler.sample(lambda x, time: image, x, steps, lambda i: np.ones(image.shape))
        assert np.isfinite(last.x).all()


def test_unknown_sampler_is_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"'magic'.*ddpm.*unipc"):
        Scheduler("magic")
    with pytest.raises(UserError, match=r"did you mean euler\?"):
        Scheduler("eulre")


def test_settings_without_meaning_are_refused():
    with pytest.raises(UserError, match="Karras"):
        Scheduler("ddim", use_karras_sigmas=True)
    with pytest.raises(UserError, match="v_prediction"):
        Scheduler("ddim", Schedule(rescale_betas_zero_snr=True), "epsilon")
    with pytest.raises(UserError, match="final_sigmas_type zero"):
        Scheduler("unipc", Schedule("flow"), "flow_prediction", final_sigmas_type="sigma_min")
    with pytest.raises(UserError, match="solver_order"):
        Scheduler("dpm++", solver_order=3)

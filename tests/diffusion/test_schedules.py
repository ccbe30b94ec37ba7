"""Tables of noise: their published numbers, and the times each family of samplers visits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minidiff.diffusion.scheduler import SAMPLERS, SOLVERS, Scheduler
from minidiff.diffusion.schedules import KINDS, Schedule, Time
from minidiff.diffusion.spacing import SPACINGS, spaced
from minidiff.errors import UserError

DIFFUSION = tuple(kind for kind in KINDS if kind != "flow")
FLOW = Schedule("flow")


def times(steps):
    return [step.start.t for step in steps]


def first_ratio(scheduler, n):
    start = scheduler.steps(n)[0].start
    return start.sigma / start.alpha


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("kind", DIFFUSION)
def test_variance_is_preserved_and_noise_grows(kind, zero_snr):
    schedule = Schedule(kind, rescale_betas_zero_snr=zero_snr)
    assert schedule.alpha.dtype == schedule.sigma.dtype == np.float64
    assert_allclose(schedule.alpha**2 + schedule.sigma**2, 1.0, rtol=0, atol=1e-14)
    assert (np.diff(schedule.alpha) < 0).all()
    assert (np.diff(schedule.ratio) > 0).all()


def test_stable_diffusion_has_its_published_numbers():
    schedule = Schedule()
    assert_allclose(schedule.alpha[-1] ** 2, 0.00466, rtol=0, atol=5e-6)
    assert_allclose([schedule.ratio[-1], schedule.ratio[0]], [14.6146, 0.029168], rtol=5e-5, atol=0)
    assert_allclose(schedule.alpha[0] ** 2, 0.99915, rtol=0, atol=5e-6)


def test_a_line_of_betas_multiplies_up():
    schedule = Schedule("linear", 0.1, 0.3, num_train_timesteps=3)
    assert_allclose(schedule.alpha**2, [0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7], rtol=1e-14, atol=0)


def test_cosine_follows_its_curve_until_the_cap():
    curve = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    alpha = Schedule("squaredcos_cap_v2").alpha
    assert_allclose(alpha[:-1] ** 2, curve[1:-1] / curve[0], rtol=1e-9, atol=0)
    assert_allclose(alpha[-1] ** 2 / alpha[-2] ** 2, 0.001, rtol=1e-9, atol=0)


def test_zero_terminal_snr_keeps_the_first_and_ends_in_pure_noise():
    plain, zero = Schedule(), Schedule(rescale_betas_zero_snr=True)
    assert zero.alpha[-1] == 0 and zero.sigma[-1] == 1
    assert_allclose(zero.alpha[0], plain.alpha[0], rtol=1e-14, atol=0)
    assert_allclose(zero.ratio[-1], np.sqrt(2**24 - 1), rtol=1e-14, atol=0)


@given(st.floats(0, 1000))
def test_flow_is_a_straight_line(t):
    alpha, sigma = FLOW.at(t)
    assert_allclose([alpha, sigma], [1 - t / 1000, t / 1000], rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_times_read_the_table_and_others_lie_between(kind):
    schedule = Schedule(kind, rescale_betas_zero_snr=True)
    alpha, sigma = schedule.at(np.array([0, 500, 999]))
    assert_allclose(alpha, schedule.alpha[[0, 500, 999]], rtol=1e-14, atol=0)
    assert_allclose(sigma, schedule.sigma[[0, 500, 999]], rtol=1e-14, atol=0)
    alpha, sigma = schedule.at(700.25)
    assert type(alpha) is type(sigma) is float
    assert schedule.alpha[701] < alpha < schedule.alpha[700]
    middle = sigma if kind == "flow" else sigma / alpha
    table = schedule.sigma if kind == "flow" else schedule.ratio
    assert_allclose(middle, 0.75 * table[700] + 0.25 * table[701], rtol=1e-12, atol=0)


def test_log_ratio_is_infinite_at_both_ends():
    assert Time(0, 1.0, 0.0).log_ratio == np.inf
    assert Time(999, 0.0, 1.0).log_ratio == -np.inf
    assert_allclose(Time(1, 0.5, 0.25).log_ratio, np.log(2), rtol=1e-15, atol=0)


def test_unknown_schedule_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="scaled_linear"):
        Schedule("quadratic")


def test_pndm_asks_twice_at_its_second_time():
    steps = Scheduler("pndm").steps(50)
    asked = [steps[0].start.t, steps[1].end.t, *times(steps[2:])]
    assert len(steps) == 51
    assert asked == [981, 961, *range(961, 0, -20)]


def test_ddim_times_are_the_published_ones():
    assert times(Scheduler("ddim").steps(50)) == list(range(981, 0, -20))
    assert times(Scheduler("ddim", steps_offset=0).steps(50)) == list(range(980, -1, -20))
    assert times(Scheduler("ddim", timestep_spacing="trailing").steps(50)) == list(range(999, 18, -20))
    linspace = times(Scheduler("ddim", timestep_spacing="linspace").steps(50))
    assert (linspace[:3], linspace[-1]) == ([999, 979, 958], 0)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_number_of_steps_has_as_many_times(spacing):
    for n in range(1, 1001):
        visited = spaced(spacing, 1000, n, n, 0)
        assert len(visited) == n and visited.max() <= 999 and visited.min() >= 0


def test_ddim_goes_a_stride_but_with_linspace_to_the_next_time():
    ends = {spacing: [step.end.t for step in Scheduler("ddim", timestep_spacing=spacing).steps(30)][:3]
            for spacing in ("leading", "trailing", "linspace")}
    assert ends == {"leading": [925, 892, 859], "trailing": [966, 933, 899], "linspace": [965, 930, 896]}


def test_ddim_ends_at_the_cleanest_time_or_without_noise():
    assert_allclose(Scheduler("ddim").steps(50)[-1].end.alpha ** 2, 0.99915, rtol=0, atol=5e-6)
    assert Scheduler("ddim", set_alpha_to_one=True).steps(50)[-1].end.sigma == 0


def test_euler_begins_at_the_published_sigmas():
    first = [first_ratio(Scheduler("euler", timestep_spacing=spacing), 50) for spacing in
             ("linspace", "leading", "trailing")]
    assert_allclose(first, [14.6146, 13.1204, 14.6146], rtol=5e-6, atol=0)


def test_euler_starts_with_the_published_scale():
    noise = np.full((1, 2, 3, 1), 1.0)
    for spacing, scale in (("linspace", 14.6146), ("leading", 13.1585), ("trailing", 14.6146)):
        scheduler = Scheduler("euler", timestep_spacing=spacing)
        steps = scheduler.steps(50)
        assert_allclose(scheduler.start(noise, steps) / steps[0].start.alpha, scale, rtol=5e-6, atol=0)


def test_solvers_divide_by_one_more():
    for sampler in SOLVERS:
        assert times(Scheduler(sampler).steps(20))[:2] == [999, 949]
        assert times(Scheduler(sampler, timestep_spacing="leading").steps(20))[:2] == [941, 894]


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm++", "unipc"])
def test_karras_steps_are_even_in_the_seventh_root(sampler):
    steps = Scheduler(sampler, use_karras_sigmas=True).steps(9)
    ratios = np.array([step.start.sigma / step.start.alpha for step in steps])
    assert_allclose(np.diff(ratios ** (1 / 7), 2), 0, rtol=0, atol=1e-12)
    assert_allclose(ratios[[0, -1]], [14.6146, 0.029168], rtol=5e-5, atol=0)
    table = np.interp(times(steps), np.arange(1000), Schedule().ratio)
    assert_allclose(table, ratios, rtol=0.02, atol=0)


@given(st.sampled_from(sorted(SAMPLERS)), st.sampled_from(["leading", "trailing", "linspace"]), st.integers(1, 300),
       st.booleans())
def test_steps_fall_to_the_end_whatever_their_number(sampler, spacing, n, flow):
    scheduler = Scheduler(sampler, FLOW if flow else Schedule(), timestep_spacing=spacing)
    steps = scheduler.steps(n)
    assert len(steps) == n + (sampler == "pndm" and n > 1)
    for step in steps:
        assert step.start.sigma > step.end.sigma and step.start.alpha < step.end.alpha
    assert steps[-1].end.sigma <= Schedule().sigma[0]


def test_flow_starts_as_published_and_is_told_whole_times():
    dpm, unipc = (Scheduler(sampler, FLOW).steps(20) for sampler in ("dpm++", "unipc"))
    assert_allclose([dpm[0].start.sigma, unipc[0].start.sigma], [0.999, 1 - 1e-6], rtol=0, atol=3e-8)
    assert times(dpm)[:3] == [999, 949, 899] and times(unipc)[:3] == [999, 950, 900]
    assert dpm[-1].end == unipc[-1].end == Time(0, 1, 0)


def test_flow_is_a_straight_line_with_both_ends():
    assert_allclose(FLOW.sigma, np.linspace(0, 1, 1001), rtol=0, atol=1e-15)
    assert_allclose(FLOW.alpha, np.linspace(1, 0, 1001), rtol=0, atol=1e-15)


@pytest.mark.parametrize("schedule", [Schedule(), FLOW], ids=["table", "flow"])
def test_times_in_single_precision_get_double(schedule):
    for array in schedule.at(np.array([0, 10.5, 999], np.float32)):
        assert array.dtype == np.float64


def test_flow_shift_moves_steps_towards_the_noise():
    plain, shifted = (Scheduler("dpm++", FLOW, flow_shift=shift).steps(8) for shift in (1.0, 3.0))
    before = np.array([step.start.sigma for step in plain])
    after = np.array([step.start.sigma for step in shifted])
    assert_allclose(after, 3 * before / (1 + 2 * before), rtol=1e-6, atol=0)


def test_a_thousand_steps_of_a_thousand_stay_in_the_table():
    assert max(times(Scheduler("ddim").steps(1000))) == 999
    with pytest.raises(UserError, match="1 to 999"):
        Scheduler("unipc").steps(1000)
    with pytest.raises(UserError, match="1 to 1000"):
        Scheduler("ddim").steps(0)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_strength_keeps_the_last_steps(sampler):
    scheduler = Scheduler(sampler)
    whole, part = scheduler.steps(10), scheduler.steps(10, strength=0.69)
    assert len(part) == 6 + (sampler == "pndm")
    assert part[-5:] == whole[-5:]
    assert scheduler.steps(10, strength=0.0) == []
    with pytest.raises(UserError, match="from 0 to 1"):
        scheduler.steps(10, strength=1.5)

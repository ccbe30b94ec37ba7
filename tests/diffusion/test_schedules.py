"""Tables of noise: their published values, their limits, and what lies between two training times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minidiff.diffusion.schedules import KINDS, Schedule, Time
from minidiff.errors import UserError

DIFFUSION = tuple(kind for kind in KINDS if kind != "flow")
FLOW = Schedule("flow")


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


def test_flow_is_a_straight_line_with_both_ends():
    assert_allclose(FLOW.sigma, np.linspace(0, 1, 1001), rtol=0, atol=1e-15)
    assert_allclose(FLOW.alpha, np.linspace(1, 0, 1001), rtol=0, atol=1e-15)


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


@pytest.mark.parametrize("schedule", [Schedule(), FLOW], ids=["table", "flow"])
def test_times_in_single_precision_get_double(schedule):
    for array in schedule.at(np.array([0, 10.5, 999], np.float32)):
        assert array.dtype == np.float64


def test_log_ratio_is_infinite_at_both_ends():
    assert Time(0, 1.0, 0.0).log_ratio == np.inf
    assert Time(999, 0.0, 1.0).log_ratio == -np.inf
    assert_allclose(Time(1, 0.5, 0.25).log_ratio, np.log(2), rtol=1e-15, atol=0)


def test_unknown_schedule_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="scaled_linear"):
        Schedule("quadratic")

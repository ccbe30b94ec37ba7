"""What networks predict: adding and removing noise, conversions, weights and times of training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minidiff.diffusion import objectives
from minidiff.diffusion.objectives import (
    KINDS,
    add_noise,
    denoised,
    draw_times,
    loss_weight,
    min_snr_weight,
    output_of,
    sqrt_snr_weight,
    target,
)
from minidiff.diffusion.schedules import Schedule
from minidiff.errors import UserError

TABLES = (Schedule(), Schedule("squaredcos_cap_v2"), Schedule(rescale_betas_zero_snr=True), Schedule("flow"))


def example(dtype=np.float64):
    rng = np.random.default_rng(3)
    x0, noise = (rng.standard_normal((3, 4, 5, 2)).astype(dtype) for _ in range(2))
    for array in (x0, noise):
        array.flags.writeable = False
    return x0, noise


@given(st.sampled_from(KINDS), st.sampled_from(TABLES), st.lists(st.integers(1, 998), min_size=3, max_size=3))
def test_what_was_added_is_recovered(kind, schedule, t):
    x0, noise = example()
    alpha, sigma = schedule.at(np.array(t))
    x = add_noise(x0, noise, alpha, sigma)
    answer = target(kind, x0, noise, alpha, sigma)
    assert_allclose(denoised(kind, answer, x, alpha, sigma), x0, rtol=1e-9, atol=1e-9)
    assert_allclose(output_of("epsilon", x0, x, alpha, sigma), noise, rtol=1e-9, atol=1e-9)


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.integers(1, 998))
def test_conversions_between_predictions_are_inverses(one, other, t):
    output, x = example()
    alpha, sigma = Schedule().at(t)
    there = output_of(other, denoised(one, output, x, alpha, sigma), x, alpha, sigma)
    back = output_of(one, denoised(other, there, x, alpha, sigma), x, alpha, sigma)
    assert_allclose(back, output, rtol=1e-9, atol=1e-9)


def test_targets_are_the_published_ones():
    x0, noise = example()
    assert_allclose(target("v_prediction", x0, noise, 0.8, 0.6), 0.8 * noise - 0.6 * x0, rtol=1e-14, atol=0)
    assert_allclose(target("flow_prediction", x0, noise, 0.8, 0.2), noise - x0, rtol=1e-14, atol=0)
    assert_allclose(target("epsilon", x0, noise, 0.8, 0.6), noise, rtol=0, atol=0)
    assert_allclose(target("sample", x0, noise, 0.8, 0.6), x0, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["v_prediction", "sample", "flow_prediction"])
def test_pure_noise_and_pure_image_are_no_exception(kind):
    x0, noise = example()
    for alpha, sigma in ((0.0, 1.0), (1.0, 0.0)):
        x = add_noise(x0, noise, alpha, sigma)
        assert_allclose(denoised(kind, target(kind, x0, noise, alpha, sigma), x, alpha, sigma), x0, rtol=1e-14, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_and_float_coefficients_equal_arrays(kind):
    x0, noise = example(np.float32)
    alpha, sigma = Schedule().at(400)
    arrays = np.full(3, alpha), np.full(3, sigma)
    for function in (denoised, output_of):
        one, many = function(kind, x0, noise, alpha, sigma), function(kind, x0, noise, *arrays)
        assert one.dtype == many.dtype == np.float32
        assert_allclose(one, many, rtol=1e-6, atol=1e-6)
    assert add_noise(x0, noise, *arrays).dtype == target(kind, x0, noise, *arrays).dtype == np.float32


def test_unknown_prediction_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="flow_prediction"):
        target("score", *example(), 0.8, 0.6)


@pytest.mark.parametrize("kind", KINDS)
def test_min_snr_weighs_every_answer_as_its_error_of_x0(kind):
    alpha, sigma = (values[1:-1] for values in (Schedule().alpha, Schedule().sigma))
    snr = alpha**2 / sigma**2
    step = 1e-3
    ones = np.ones((len(alpha), 1))
    moved = denoised(kind, step * ones, ones, alpha, sigma) - denoised(kind, 0 * ones, ones, alpha, sigma)
    expected = np.minimum(snr, 5.0) * (moved[:, 0] / step) ** 2
    assert_allclose(min_snr_weight(kind, alpha, sigma), expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_min_snr_is_finite_at_both_ends(kind):
    weight = min_snr_weight(kind, np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert np.isfinite(weight).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sqrt_snr_weighs_every_answer_as_its_error_of_x0(kind):
    alpha, sigma = (values[1:-1] for values in (Schedule().alpha, Schedule().sigma))
    ones = np.ones((len(alpha), 1))
    moved = denoised(kind, 1e-3 * ones, ones, alpha, sigma) - denoised(kind, 0 * ones, ones, alpha, sigma)
    for least in (0.0, 0.05, 0.5):
        expected = np.maximum(alpha / sigma, least) * (moved[:, 0] / 1e-3) ** 2
        assert_allclose(sqrt_snr_weight(kind, alpha, sigma, least), expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("kind", ["v_prediction", "flow_prediction"])
def test_pure_noise_weighs_a_little_and_none_nothing(kind):
    weight = sqrt_snr_weight(kind, np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    assert_allclose(weight, [0.05, 0.0], rtol=1e-12, atol=0)


def test_unknown_weighting_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="uniform, min_snr, sqrt_snr"):
        loss_weight("snr", "epsilon", np.array([0.8]), np.array([0.6]))


def test_times_are_uniform():
    rng = np.random.default_rng(0)
    whole = draw_times(Schedule(), rng, 20_000)
    assert whole.min() >= 0 and whole.max() <= 999 and whole.dtype.kind == "i"
    assert_allclose([whole.mean(), whole.std()], [499.5, 1000 / 12**0.5], rtol=0.02, atol=0)
    flow = draw_times(Schedule("flow"), rng, 20_000)
    assert_allclose([flow.mean(), flow.std()], [500, 1000 / 12**0.5], rtol=0.02, atol=0)


def test_times_of_the_middle_are_logit_normal_about_the_shift():
    schedule, rng = Schedule("flow"), np.random.default_rng(0)
    coefficients = [schedule.at(draw_times(schedule, rng, 20_000, 4.0, middle)) for middle in (1.0, 0.5, 0.0)]
    middle, half, uniform = (np.log(sigma / alpha / 4) for alpha, sigma in coefficients)
    assert_allclose([middle.mean(), middle.std()], [0, 1], rtol=0, atol=0.03)
    assert_allclose([uniform.mean(), uniform.std()], [0, np.pi / 3**0.5], rtol=0, atol=0.05)
    assert_allclose([half.mean(), half.var()], [0, (1 + np.pi**2 / 3) / 2], rtol=0, atol=0.08)


@given(st.floats(0.2, 8.0))
def test_a_shift_moves_times_by_the_rule_that_sampling_uses(shift):
    plain, shifted = (draw_times(Schedule("flow"), np.random.default_rng(1), 100, s) / 1000 for s in (1.0, shift))
    assert_allclose(shifted, shift * plain / (1 + (shift - 1) * plain), rtol=1e-9, atol=0)


def test_one_coefficient_per_image():
    assert objectives.per_image(np.arange(3.0), np.zeros((3, 4, 5, 2))).shape == (3, 1, 1, 1)

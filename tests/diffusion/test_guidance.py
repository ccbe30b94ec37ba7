"""Guidance: two answers become one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff.diffusion.guidance import classifier_free, guided, inpainted, rescaled
from minidiff.diffusion.schedules import Time

RNG = np.random.default_rng(5)
X, COND, UNCOND = RNG.standard_normal((3, 4, 5, 2)), RNG.standard_normal((3, 6, 7)), RNG.standard_normal((1, 6, 7))
MIDDLE = Time(500.0, 0.6, 0.8)
for array in (X, COND, UNCOND):
    array.flags.writeable = False


def model(x, t, context):
    return x * t + context.mean(axis=(1, 2))[:, None, None, None] * (1 + x**2)


def test_scale_one_is_the_prompt_and_zero_is_none():
    cond, uncond = RNG.standard_normal((2, 3, 4, 5, 2))
    assert_allclose(classifier_free(cond, uncond, 1.0), cond, rtol=0, atol=1e-14)
    assert_allclose(classifier_free(cond, uncond, 0.0), uncond, rtol=0, atol=0)
    assert_allclose(classifier_free(cond, uncond, 3.0), 3 * cond - 2 * uncond, rtol=1e-12, atol=1e-12)


def test_one_call_for_both_equals_two():
    calls = []

    def counted(x, t, context):
        calls.append(len(x))
        return model(x, t, context)

    answer = guided(counted, COND, UNCOND, 7.5)(X, MIDDLE)
    expected = classifier_free(model(X, 500.0, COND), model(X, 500.0, np.repeat(UNCOND, 3, 0)), 7.5)
    assert_allclose(answer, expected, rtol=1e-12, atol=1e-12)
    assert calls == [6]


@pytest.mark.parametrize("time", [Time(1.0, 0.999, 0.04), Time(999.0, 0.0, 1.0)])
def test_every_noise_is_guided_where_nothing_is_said(time):
    answer = guided(model, COND, UNCOND, 7.5)(X, time)
    expected = classifier_free(model(X, time.t, COND), model(X, time.t, np.repeat(UNCOND, 3, 0)), 7.5)
    assert_allclose(answer, expected, rtol=1e-12, atol=1e-12)


def test_no_guidance_costs_one_answer():
    calls = []

    def counted(x, t, context):
        calls.append(len(x))
        return model(x, t, context)

    assert_allclose(guided(counted, COND, UNCOND, 1.0)(X, MIDDLE), model(X, 500.0, COND), rtol=0, atol=0)
    assert calls == [3]


def test_a_negative_prompt_pushes_away_from_it():
    toward, away = guided(model, COND, COND - 1, 2.0), guided(model, COND, COND + 1, 2.0)
    plain = model(X, 500.0, COND)
    assert (toward(X, MIDDLE) > plain).all() and (away(X, MIDDLE) < plain).all()


@pytest.mark.parametrize(("ratio", "inside"), [(0.2, False), (0.25, False), (0.5, True), (4.0, True), (8.0, False)])
def test_guidance_acts_inside_its_interval_only(ratio, inside):
    time = Time(500.0, 0.5, 0.5 * ratio)
    answer = guided(model, COND, UNCOND, 7.5, interval=(0.25, 4.0))(X, time)
    everywhere, prompt = guided(model, COND, UNCOND, 7.5)(X, time), model(X, 500.0, COND)
    assert_allclose(answer, everywhere if inside else prompt, rtol=0, atol=0)


def test_pure_noise_is_inside_an_open_interval_and_outside_a_closed_one():
    noise = Time(999.0, 0.0, 1.0)
    everywhere, prompt = guided(model, COND, UNCOND, 7.5)(X, noise), model(X, 999.0, COND)
    assert abs(everywhere - prompt).max() > 0.1
    assert_allclose(guided(model, COND, UNCOND, 7.5, interval=(0.0, 9.0))(X, noise), prompt, rtol=0, atol=0)


def test_rescaling_gives_each_image_its_standard_deviation_back():
    cond = RNG.standard_normal((3, 4, 5, 2)) * np.array([1.0, 2.0, 3.0])[:, None, None, None]
    strong = 5 * cond + 1
    assert_allclose(rescaled(strong, cond, 1.0).std(axis=(1, 2, 3)), cond.std(axis=(1, 2, 3)), rtol=1e-12, atol=0)
    assert_allclose(rescaled(strong, cond, 0.0), strong, rtol=0, atol=0)
    assert_allclose(rescaled(strong, cond, 0.7), strong * (0.7 / 5 + 0.3), rtol=1e-12, atol=1e-12)
    answer = guided(model, COND, UNCOND, 7.5, rescale=1.0)(X, MIDDLE)
    assert_allclose(answer.std(axis=(1, 2, 3)), model(X, 500.0, COND).std(axis=(1, 2, 3)), rtol=1e-12, atol=0)


def test_inpainting_paints_where_the_mask_is_white():
    mask = np.zeros((3, 4, 5, 1))
    mask[:, 1:3, 2:4] = 1
    answer = inpainted(lambda x, time: x, np.full(X.shape, 9.0), mask)(X, MIDDLE)
    assert_allclose(answer, np.where(mask == 1, X, 9.0), rtol=0, atol=0)

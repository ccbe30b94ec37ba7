"""The weights of multistep samplers: what they are on even steps, and what they are exact for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose

from minidiff.diffusion.multistep import ADAMS_BASHFORTH, lagrange_means, moments


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lms_on_even_steps_is_adams_bashforth(count):
    places = [-float(i) for i in range(count)]
    assert_allclose(lagrange_means(places, 1.0), ADAMS_BASHFORTH[count - 1], rtol=1e-14, atol=0)


@given(st.integers(1, 4), st.integers(0, 2**32))
def test_lms_takes_the_exact_mean_of_a_polynomial(count, seed):
    rng = np.random.default_rng(seed)
    end, *places = np.cumsum(rng.uniform(0.5, 2.0, count + 1)).tolist()
    curve = Polynomial(rng.standard_normal(count))
    mean = (curve.integ()(end) - curve.integ()(places[0])) / (end - places[0])
    weighted = sum(weight * curve(place) for weight, place in zip(lagrange_means(places, end), places, strict=True))
    assert_allclose(weighted, mean, rtol=1e-9, atol=1e-9)


def test_lms_of_a_step_without_length_takes_the_last_answer():
    assert_allclose(lagrange_means([1.0, 2.0, 4.0], 1.0), [1, 0, 0], rtol=0, atol=1e-15)


@given(st.floats(0.05, 3.0))
def test_moments_of_unipc_are_those_of_a_step_weighted_by_the_exponential(h):
    nodes, weights = np.polynomial.legendre.leggauss(20)
    fraction = (nodes + 1) / 2
    weights = weights * np.exp(h * fraction)
    expected = [(weights * fraction**k).sum() / weights.sum() for k in (1, 2, 3)]
    assert_allclose(moments(h, 3), expected, rtol=1e-9, atol=0)

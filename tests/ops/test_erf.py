"""erf against the C library's, and the slope of gelu that rests on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.ops import gelu
from minidiff.ops.erf import erf

BORDERS = np.array([0.46875, 0.5, 4.0, 6.0])  # where one approximation hands over to the next
AROUND = [BORDERS, np.nextafter(BORDERS, 0), np.nextafter(BORDERS, 9)]
X = np.concatenate([np.linspace(-7, 7, 4001), *AROUND, [1e-300, 1e4]])
EXACT = np.array([math.erf(x) for x in X])


def test_erf_is_exact_in_double_precision():
    assert_allclose(erf(X), EXACT, rtol=1e-12, atol=1e-15)


def test_erf_is_good_to_2e_7_in_single_precision():
    x = X.astype(np.float32)
    exact = [math.erf(value) for value in x.tolist()]
    assert erf(x).dtype == np.float32
    assert_allclose(erf(x), exact, rtol=0, atol=2e-7)


def test_erf_in_half_precision_is_the_rounded_one():
    x = X.astype(np.float16)
    exact = np.array([math.erf(value) for value in x.tolist()])
    assert erf(x).dtype == np.float16
    assert_allclose(erf(x), exact, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_erf_is_odd_and_bounded(dtype):
    x = X.astype(dtype)
    assert_array_equal(erf(-x), -erf(x))
    assert np.abs(erf(x)).max() <= 1 + np.finfo(dtype).eps


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
def test_slope_of_gelu(dtype, tolerance):
    x = np.linspace(-6, 6, 201).astype(dtype)
    _, backward = gelu(x)
    cdf = [0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x.tolist()]
    density = [math.exp(-value * value / 2) / math.sqrt(2 * math.pi) for value in x.tolist()]
    exact = np.array(cdf) + x * np.array(density)
    assert_allclose(backward(np.ones_like(x)), exact, rtol=0, atol=tolerance)

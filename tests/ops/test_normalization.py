"""Norms against their formulas, and where they are hardest to compute."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops
from minidiff.backend.tape import Tape

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


def test_norms_are_their_formulas(rng):
    x, (weight, bias), eps = rng.normal(size=(2, 5, 4, 6)), rng.normal(size=(2, 6)), 0.1
    y, _ = ops.layer_norm(x, weight, bias, eps=eps)
    xhat = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    assert_allclose(y, xhat * weight + bias, rtol=1e-12, atol=1e-12)
    y, _ = ops.group_norm(x, weight, bias, groups=2, eps=eps)
    grouped = x.reshape(2, 5, 4, 2, 3)
    mean, var = (f(grouped, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    xhat = ((grouped - mean) / np.sqrt(var + eps)).reshape(x.shape)
    assert_allclose(y, xhat * weight + bias, rtol=1e-12, atol=1e-12)


def test_group_norm_of_a_constant_image_is_its_bias(rng):
    x = np.full((2, 5, 4, 6), 0.1, np.float32)
    weight, bias = rng.normal(size=(2, 6)).astype(np.float32)
    y, backward = ops.group_norm(x, weight, bias, groups=3)
    assert_allclose(y, np.broadcast_to(bias, x.shape), rtol=1e-5, atol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in backward(np.ones_like(x)))


@pytest.mark.parametrize(("norm", "options"), [(ops.group_norm, {"groups": 3}), (ops.layer_norm, {})])
def test_norms_take_an_empty_batch(norm, options):
    x = np.zeros((0, 5, 4, 6))
    y, backward = norm(x, np.ones(6), np.ones(6), **options)
    assert y.shape == x.shape == Tape(lambda x: norm(x, np.ones(6), np.ones(6), **options)[0], [x]).result.shape
    dx, dweight, dbias = backward(y)
    assert dx.shape == x.shape
    assert_array_equal([dweight, dbias], np.zeros((2, 6)))


def test_group_norm_of_many_pixels_is_exact_in_float32(rng):
    x = (10 + rng.normal(size=(1, 256, 256, 4))).astype(np.float32)
    weight, bias = np.ones(4, np.float32), np.zeros(4, np.float32)
    exact, _ = ops.group_norm(*(array.astype(np.float64) for array in (x, weight, bias)), groups=2)
    assert_allclose(ops.group_norm(x, weight, bias, groups=2)[0], exact, rtol=0, atol=3e-6)


@pytest.mark.parametrize("norm", ["group_norm", "layer_norm"])
def test_normalisation_survives_a_mean_a_thousand_times_the_deviation(rng, norm):
    x = rng.normal(size=(2, 16, 12, 8)) + 1000
    weight, bias = rng.normal(size=(2, 8))
    dy = rng.normal(size=x.shape)
    options = {"groups": 2} if norm == "group_norm" else {}
    single = [array.astype(np.float32) for array in (x, weight, bias, dy)]
    exact_y, exact_backward = getattr(ops, norm)(*(array.astype(np.float64) for array in single[:3]), **options)
    y, backward = getattr(ops, norm)(*single[:3], **options)
    for one, other in zip([y, *backward(single[3])], [exact_y, *exact_backward(dy)], strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-3)

"""Losses on cases whose value is known, and where they are hardest to compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


@pytest.mark.parametrize("loss", [ops.mse, ops.l1, ops.huber])
def test_elementwise_losses_in_half_precision_are_computed_in_single(rng, loss):
    x, target = rng.normal(size=(2, 3, 64, 64)).astype(np.float16), np.full((2, 3, 64, 64), 300, np.float16)
    value, backward = loss(x, target)
    exact, exact_backward = loss(x.astype(np.float64), target.astype(np.float64))
    assert_allclose(value, exact, rtol=1e-5, atol=0)
    assert_allclose(backward(1024.0)[0], exact_backward(1024.0)[0], rtol=1e-3, atol=0)


def test_a_loss_is_the_mean_over_samples_of_their_weights(rng):
    x, target = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2))
    weighted, _ = ops.mse(x, target, np.array([2.0, 0.0, 1.0]))
    first, third = (float(ops.mse(x[j], target[j])[0]) for j in (0, 2))
    assert_allclose(weighted, (2 * first + third) / 3, rtol=1e-12, atol=0)


def test_kl_is_zero_at_the_standard_normal_only():
    zeros = np.zeros((2, 3))
    assert float(ops.kl_standard_normal(zeros, zeros)[0]) == 0
    assert float(ops.kl_standard_normal(zeros + 0.1, zeros)[0]) > 0
    assert float(ops.kl_standard_normal(zeros, zeros - 0.1)[0]) > 0


def test_huber_is_a_parabola_within_one_and_a_line_outside():
    x = np.array([0.0, 0.5, 1.0, 1.05, -3.0])
    for d, expected in zip(x, [0, 0.125, 0.5, 0.55, 2.5], strict=True):
        assert_allclose(ops.huber(np.array([d]), np.zeros(1))[0], expected, rtol=1e-12, atol=0)


def test_cross_entropy_does_not_overflow():
    loss, backward = ops.cross_entropy(np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0]))
    assert_allclose(loss, 5e3, rtol=1e-12, atol=0)
    assert_allclose(backward(1.0)[0], [[0, 0], [-0.5, 0.5]], rtol=1e-12, atol=1e-15)


def test_cross_entropy_survives_rows_that_lie_far_apart():
    logits, labels = np.array([[1e4, 1e4 - 1], [-1e4, -1e4 + 1]]), np.array([0, 1])
    assert_allclose(ops.cross_entropy(logits, labels)[0], math.log(1 + math.exp(-1)), rtol=1e-9, atol=0)


def test_contrastive_of_matching_pairs_is_low_and_of_shuffled_pairs_high():
    text, scale = np.eye(4) * 7, np.array(3.0)
    matched, shuffled = (float(ops.contrastive(text, image, scale)[0]) for image in (text, np.roll(text, 1, axis=0)))
    assert matched < 1e-3
    assert shuffled > 10

"""Attention and softmax on cases whose answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


def test_attention_is_the_mean_of_values_by_their_scores(rng):
    q, k, v = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 4))
    y, _ = ops.attention(q, k, v, heads=2)
    for n, head, i in itertools.product(range(2), range(2), range(3)):
        width = slice(2 * head, 2 * head + 2)
        weights = [math.exp(k[n, j, width] @ q[n, i, width] / math.sqrt(2)) for j in range(5)]
        expected = sum(weight * v[n, j, width] for j, weight in enumerate(weights)) / sum(weights)
        assert_allclose(y[n, i, width], expected, rtol=1e-12, atol=1e-12)


def test_causal_attention_sees_no_later_token(rng):
    x = rng.normal(size=(2, 6, 4))
    changed = x.copy()
    changed[:, 4:] += 1
    before, _ = ops.attention(x, x, x, heads=2, causal=True)
    after, _ = ops.attention(changed, changed, changed, heads=2, causal=True)
    assert_array_equal(before[:, :4], after[:, :4])
    assert np.abs(before[:, 4:] - after[:, 4:]).min() > 0


def test_causal_attention_sees_no_later_token_however_much_larger_its_score():
    k, v = np.array([[[-3e4], [0]]]), np.array([[[1.0], [5]]])
    y, backward = ops.attention(np.ones((1, 2, 1)), k, v, heads=1, causal=True)
    assert_array_equal(y, v)
    assert_array_equal(backward(np.ones_like(y))[2], [[[1], [1]]])


def test_attention_does_not_overflow_in_half_precision():
    q, k, v = (np.full((1, 1024, 4), value, np.float16) for value in (0.1, 0.2, 100))  # 1024 · 100 is too large
    y, backward = ops.attention(q, k, v, heads=1)
    assert_allclose(y, v, rtol=1e-3)
    dq, dk, dv = backward(np.full(y.shape, 8, np.float16))
    assert_allclose(dv, 8, rtol=1e-2)
    assert_allclose([dq, dk], 0, atol=0.1)


def test_softmax_does_not_overflow():
    y, backward = ops.softmax(np.array([[1e4, -1e4, 1e4]]))
    assert_allclose(y, [[0.5, 0, 0.5]], rtol=1e-12, atol=0)
    assert_allclose(backward(np.array([[1.0, 5.0, 3.0]])), [[-0.5, 0, 0.5]], rtol=1e-12, atol=0)

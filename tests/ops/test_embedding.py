"""Embeddings of tokens, times and patches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


def test_embedding_adds_the_gradients_of_a_repeated_token():
    _, backward = ops.embedding(np.zeros((3, 2)), np.array([[1, 1], [2, 1]]))
    assert_array_equal(backward(np.ones((2, 2, 2)))[0], [[0, 0], [3, 3], [1, 1]])


def test_sinusoidal_embedding_is_that_of_diffusion():
    t = np.array([0.0, 1.0, 999.0])
    y, _ = ops.sinusoidal_embedding(t, 4)
    angle = t[:, None] * [1, 0.01]
    assert_allclose(y, np.concatenate((np.cos(angle), np.sin(angle)), axis=-1), rtol=1e-12, atol=1e-12)
    y, _ = ops.sinusoidal_embedding(t, 4, flip_sin_to_cos=False, freq_shift=1)
    angle = t[:, None] * [1, 0.0001]
    assert_allclose(y, np.concatenate((np.sin(angle), np.cos(angle)), axis=-1), rtol=1e-12, atol=1e-12)


def test_patches_are_squares_in_reading_order(rng):
    x = rng.normal(size=(2, 6, 4, 3))
    y, _ = ops.patchify(x, 2)
    assert_array_equal(y[1, 3], x[1, 2:4, 2:4].ravel())

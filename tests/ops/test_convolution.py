"""conv2d against its formula written as loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


def plain_conv2d(x, weight, bias, stride, padding):
    """conv2d's docstring, loop by loop."""
    (top, bottom), (left, right) = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    n, k, outputs = x.shape[0], weight.shape[0], weight.shape[-1]
    height, width = ((size - k) // stride + 1 for size in padded.shape[1:3])
    y = np.zeros((n, height, width, outputs))
    for j, p, q, o in itertools.product(*map(range, y.shape)):
        y[j, p, q, o] = bias[o]
        for a, b, i in itertools.product(*map(range, weight.shape[:3])):
            y[j, p, q, o] += padded[j, stride * p + a, stride * q + b, i] * weight[a, b, i, o]
    return y


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((0, 1), (1, 0)), ((1, 1), (1, 1))])
def test_conv2d_is_seven_loops(rng, k, stride, padding):
    x, weight, bias = rng.normal(size=(2, 7, 5, 2)), rng.normal(size=(k, k, 2, 3)), rng.normal(size=3)
    y, _ = ops.conv2d(x, weight, bias, stride=stride, padding=padding)
    assert_allclose(y, plain_conv2d(x, weight, bias, stride, padding), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_conv2d_pads_by_half_a_kernel_where_nothing_is_said(rng, k):
    x, weight, bias = rng.normal(size=(2, 7, 5, 2)), rng.normal(size=(k, k, 2, 3)), rng.normal(size=3)
    y, _ = ops.conv2d(x, weight, bias)
    assert_allclose(y, plain_conv2d(x, weight, bias, 1, ((k // 2, k // 2),) * 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("op", "size"), [(ops.conv2d, (6, 4)), (ops.upsample_conv2d, (12, 8))])
def test_convolutions_take_an_empty_batch(op, size):
    x, weight, bias = np.zeros((0, 6, 4, 2)), np.ones((3, 3, 2, 5)), np.ones(5)
    y, backward = op(x, weight, bias)
    assert y.shape == (0, *size, 5)
    dx, dweight, dbias = backward(y)
    assert dx.shape == x.shape
    assert_array_equal(dweight, np.zeros_like(weight))
    assert_array_equal(dbias, np.zeros_like(bias))

"""Upsampling, alone and with its convolution."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


def test_upsampling_repeats_pixels(rng):
    x = rng.normal(size=(2, 3, 4, 2))
    assert_array_equal(ops.upsample_nearest(x)[0], x.repeat(2, axis=1).repeat(2, axis=2))


def test_upsampling_and_convolution_in_one_are_the_two_after_each_other(rng):
    x, weight, bias = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 3, 5, 2)), rng.normal(size=2)
    y, back = ops.upsample_conv2d(x, weight, bias)
    large, up_back = ops.upsample_nearest(x)
    expected, conv_back = ops.conv2d(large, weight, bias)
    assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    dy = rng.normal(size=y.shape)
    dlarge, dweight, dbias = conv_back(dy)
    for ours, theirs in zip(back(dy), (up_back(dlarge), dweight, dbias), strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)

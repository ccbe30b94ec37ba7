"""The bands of both convolution kernels, and Winograd's rounding and when it is taken."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff import ops
from minidiff.kernels.cpu import convolution, winograd
from minidiff.kernels.cpu.winograd import winograd_conv2d
from minidiff.ops import plain


@pytest.mark.parametrize("band_rows", [0, 1, 2, 4, 5, 10, 14])  # of 3 samples with 5 rows each
@pytest.mark.parametrize("stride", [1, 2])
def test_conv2d_is_the_same_in_bands(rng, monkeypatch, band_rows, stride):
    x, weight, bias = rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2)
    row_bytes = 4 * weight[..., 0].size * x.itemsize
    y, backward = convolution.conv2d(x, weight, bias, stride=stride)
    dy = rng.normal(size=y.shape)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(convolution, "BLOCK", band_rows * row_bytes)
    y, backward = convolution.conv2d(x, weight, bias, stride=stride)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_bands_stay_below_their_limit(monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", 5000)
    x = np.zeros((3, 12, 6, 4))
    bands = list(convolution.bands(x, 3, 2, 1, 10, 4))
    assert max(columns.nbytes for _, _, columns in bands) <= 5000
    assert sum(len(columns) for _, _, columns in bands) == 3 * 10 * 4


def test_bands_are_no_smaller_than_the_kernel(monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", 1)
    monkeypatch.setattr(winograd, "BLOCK", 1)
    x = np.zeros((3, 12, 6, 4))
    bands = list(convolution.bands(x, 3, 8, 1, 10, 4))
    assert {columns.size for _, _, columns in bands} == {3 * 3 * 4 * 8}
    x = np.zeros((1, 8, 36, 12))  # 9 tiles in a row: 9 · (12 + 36) elements read and written, 12 · 36 of the kernel
    assert {points.size for _, points in winograd.bands(x, 36)} == {36 * 9 * 12}


@pytest.mark.parametrize("height", [1, 4, 6, 9])
@pytest.mark.parametrize("width", [3, 8])
def test_winograd_conv2d_is_conv2d(rng, height, width):
    x, weight, bias = rng.normal(size=(2, height, width, 3)), rng.normal(size=(3, 3, 3, 2)), rng.normal(size=2)
    y, backward = winograd_conv2d(x, weight, bias)
    with plain():
        expected, expected_backward = ops.conv2d(x, weight, bias)
    dy = rng.normal(size=y.shape)
    for one, other in zip([y, *backward(dy)], [expected, *expected_backward(dy)], strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("tiles", [1, 2, 3, 5, 6, 100])  # of 3 samples with 2 rows of 2 tiles each
def test_winograd_conv2d_is_the_same_in_bands(rng, monkeypatch, tiles):
    x, weight = rng.normal(size=(3, 8, 7, 2)), rng.normal(size=(3, 3, 2, 4))
    y, backward = winograd_conv2d(x, weight)
    dy = rng.normal(size=y.shape)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(winograd, "BLOCK", tiles * 36 * (2 + 4) * x.itemsize)
    y, backward = winograd_conv2d(x, weight)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_rounding_of_winograd_conv2d_is_what_its_file_says(rng):
    x, weight = rng.standard_normal((2, 32, 32, 128), "f4"), rng.standard_normal((3, 3, 128, 128), "f4")
    with plain():
        exact, exact_backward = ops.conv2d(x.astype("f8"), weight.astype("f8"))
    dy = rng.standard_normal(exact.shape, "f4")
    exact = [exact, *exact_backward(dy.astype("f8"))]
    errors = {}
    for kernel in (convolution.conv2d, winograd_conv2d):
        y, backward = kernel(x, weight)
        errors[kernel] = [np.abs(one - other).max() / np.abs(other).max()
                          for one, other in zip([y, *backward(dy)], exact, strict=True)]
    assert max(errors[convolution.conv2d]) < 2e-6 < 5e-6 < max(errors[winograd_conv2d]) < 2e-5


@pytest.mark.parametrize("why_not", [None, "few tiles", "half precision", "kernel", "stride", "padding"])
def test_winograd_is_taken_where_it_pays(why_not):
    x = np.zeros((1 if why_not == "few tiles" else 2, 16, 16, 4), "f2" if why_not == "half precision" else "f4")
    weight = np.zeros((5 if why_not == "kernel" else 3,) * 2 + (4, 4))
    stride, padding = 1 + (why_not == "stride"), ((0, 1), (0, 1)) if why_not == "padding" else None
    assert winograd.pays(x, weight, None, stride, padding) == (why_not is None)

"""Passes over memory that kernels share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidiff.kernels.cpu import passes


@pytest.mark.parametrize("shape", [(3,), (2, 1, 3)])
def test_tiled_is_numpy_s_tile(shape):
    x = np.random.default_rng(0).normal(size=shape)
    assert_array_equal(passes.tiled(x, 4), np.tile(x, 4))


@pytest.mark.parametrize("numbers, blocks", [(1, 7), (6, 4), (100, 1)])
def test_in_blocks_is_the_function_of_the_whole(numbers, blocks):
    x, factor, sizes = np.arange(21.0).reshape(7, 3), np.arange(7.0), []

    def function(x, factor):
        sizes.append(x.size)
        return x[:, :2] * factor[:, None]

    assert_array_equal(passes.in_blocks(function, numbers, x, factor), x[:, :2] * factor[:, None])
    assert len(sizes) == blocks and max(sizes) <= max(3, numbers)


def test_in_blocks_of_nothing_is_nothing():
    assert passes.in_blocks(np.tanh, 4, np.zeros((0, 3), np.float32)).shape == (0, 3)

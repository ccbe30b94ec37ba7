"""Activations at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff import ops

pytestmark = pytest.mark.usefixtures("plain_and_with_kernels")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [ops.silu, ops.gelu, ops.quick_gelu])
def test_activations_do_not_overflow(activation, dtype):
    y, backward = activation(np.array([-1e4, 0, 1e4], dtype))
    assert_allclose(y, [0, 0, 1e4], rtol=1e-6, atol=0)
    assert_allclose(backward(np.ones(3, dtype)), [0, 0.5, 1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (3, 0, 4)])
@pytest.mark.parametrize("activation", [ops.silu, ops.gelu, ops.quick_gelu])
def test_activations_take_single_numbers_and_empty_arrays(activation, shape):
    y, backward = activation(np.zeros(shape))
    assert y.shape == backward(np.ones(shape)).shape == shape


@pytest.mark.parametrize("op", [ops.geglu, ops.split])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_an_odd_number_of_channels_has_no_halves(op, channels):
    with pytest.raises(ValueError, match="equal division"):
        op(np.ones((2, channels)))

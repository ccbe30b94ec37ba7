"""Kernels of a GPU that update parameters give what their ops give, with numbers of the host and of the device."""

from __future__ import annotations

import numpy as np
import pytest
from host_kernels import MISSING, on_the_host
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops
from minidiff.kernels.gpu import adamw, average, clipping
from minidiff.ops import plain

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(autouse=True)
def kernels_on_the_host():
    with on_the_host():
        yield


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_adamw_is_its_op(rng, monkeypatch, dtype, tolerance, on_device):
    monkeypatch.setattr(adamw, "BLOCKS", 2)  # so that a thread updates several parameters
    found, exact = ([np.zeros(1500, dtype) for _ in range(4)] for _ in range(2))
    constants = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01}

    def update(adamw, arrays, **numbers):
        w, m, v, average = arrays
        adamw(w, g, m, v, average=average, **numbers, **constants)

    for step in range(1, 4):
        g = rng.standard_normal(1500).astype(dtype)
        numbers = {"scale": np.array(0.3, dtype), "step": step, "lr": 1e-2, "decay": 0.4}
        with plain():
            update(ops.adamw, exact, **numbers)
        update(adamw.adamw, found, **({name: np.array(n) for name, n in numbers.items()} if on_device else numbers))
    for one, other in zip(found, exact, strict=True):
        assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("part", ["w", "m", "v", "average"])
def test_adamw_leaves_arrays_that_are_not_contiguous_to_its_op(part):
    arrays = {name: np.zeros((2, 4)) for name in ("w", "g", "m", "v", "average")}
    assert adamw.fits(**arrays)
    assert not adamw.fits(**arrays | {part: np.zeros((2, 8))[:, ::2]})
    assert not adamw.fits(**arrays | {"average": None})


@pytest.mark.parametrize("clip", [1e-3, 5.0, 1e9, np.inf])
@pytest.mark.parametrize("size", [1, 31, 257, 3000])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_clipping_is_its_op(rng, monkeypatch, dtype, tolerance, size, clip):
    monkeypatch.setattr(clipping, "BLOCKS", 3)  # so that a thread squares several elements
    g = rng.standard_normal(size).astype(dtype)
    found = clipping.clipping(g, clip)
    with plain():
        exact = ops.clipping(g, clip)
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == other.dtype == dtype and one.shape == ()
        assert_allclose(one, other, rtol=tolerance, atol=0)


def test_clipping_adds_up_the_sums_of_many_blocks():
    g = np.full(700 * clipping.THREADS + 1, 0.5)
    assert_array_equal(clipping.clipping(g, 1.0)[0], np.linalg.norm(g))


def test_a_gradient_of_zeros_is_not_clipped_and_one_that_is_not_finite_stays_so():
    assert_array_equal(clipping.clipping(np.zeros(3), 1.0), [0, 1])
    assert_array_equal(clipping.clipping(np.array([1.0, np.nan]), 1.0), [np.nan, np.nan])


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_the_moving_average_is_its_op(rng, monkeypatch, dtype, tolerance, on_device):
    monkeypatch.setattr(average, "BLOCKS", 2)
    found, w = rng.standard_normal((2, 1500)).astype(dtype)
    exact = found.copy()
    average.follow(found, w, np.array(0.9) if on_device else 0.9)
    with plain():
        ops.follow(exact, w, 0.9)
    assert_allclose(found, exact, rtol=0, atol=tolerance)

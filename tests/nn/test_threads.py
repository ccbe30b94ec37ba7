"""Forward passes on several cores: who has how many rows, and which thread of BLAS."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.nn import threads
from minidiff.nn.layers import Conv2d
from minidiff.ops.op import grad_enabled


@pytest.mark.parametrize("rows, wide, parts",
                         [(2, False, 1), (15, False, 1), (16, False, 2), (2, True, 2), (3, True, 2)])
def test_rows_are_divided_among_cores_with_one_blas_thread_each(rows, wide, parts, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    seen = []

    def double(x):
        seen.append((len(x), blas_threads()))
        return 2 * x

    assert_array_equal(threads.share_rows(double, np.arange(rows), wide=wide), 2 * np.arange(rows))
    assert len(seen) == parts and sum(size for size, _ in seen) == rows and {count for _, count in seen} == {1}


def test_a_wide_model_with_fewer_rows_than_cores_keeps_the_threads_of_blas(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    with threads.blas().limit(limits=2, user_api="blas"):
        seen = threads.share_rows(lambda x: (x, blas_threads(), threading.get_ident()), np.zeros(1), wide=True)
        assert seen == (0, blas_threads(), threading.get_ident())


@pytest.mark.parametrize("rows", [1, 16])
def test_forward_passes_keep_no_gradient_and_take_fast_kernels(rows, monkeypatch):
    """Whole numbers have an exact convolution in float32; a fast kernel is close to it, but rounds fractions."""
    monkeypatch.setattr(threads, "cores", lambda: 2)
    rng = np.random.default_rng(0)
    layer, x = Conv2d(rng, 16, 16), whole_numbers(rng, (rows, 32, 32, 16))
    layer.weight.value = whole_numbers(rng, layer.weight.value.shape)
    layer.bias.value = whole_numbers(rng, layer.bias.value.shape)
    seen = []

    def look(x):
        seen.append(grad_enabled())
        return layer(x)[0]

    exact, _ = layer(x)
    assert_array_equal(exact, layer(x.astype(np.float64))[0])
    fast = threads.share_rows(look, x)
    assert set(seen) == {False} and grad_enabled()
    assert_allclose(fast, exact, rtol=0, atol=1e-4 * np.abs(exact).max())
    assert np.abs(fast - exact).max() > 0


def whole_numbers(rng, shape):
    return rng.integers(-9, 10, shape).astype(np.float32)


def blas_threads():
    return threads.blas().select(user_api="blas").info()[0]["num_threads"]

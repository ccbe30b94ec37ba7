"""Forward passes on several cores: who has how many rows, and which thread of BLAS."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.backend import graph, without_graphs
from minidiff.nn import blas, threads
from minidiff.nn.layers import Conv2d
from minidiff.ops.op import grad_enabled
from minidiff.training.forked import Forked


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


def test_rows_are_computed_within_the_contexts_of_who_asks(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    seen = []
    with without_graphs(), np.errstate(over="raise"):
        threads.share_rows(lambda x: (seen.append((grad_enabled(), graph._enabled.get(), np.geterr()["over"])), x)[1],
                           np.arange(16))
    assert seen == 2 * [(False, False, "raise")]


def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    threads.share_rows(np.sqrt, np.ones(16))
    forked = Forked()
    forked.add(lambda: threads.share_rows(np.sqrt, np.full(16, 4.0)))
    forked.send(0)
    assert_array_equal(forked.receive(0)[0], np.full(16, 2.0))
    forked.close()


def test_a_wide_model_with_fewer_rows_than_cores_keeps_the_threads_of_blas(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    with blas.blas().limit(limits=2, user_api="blas"):
        seen = threads.share_rows(lambda x: (x, blas_threads(), threading.get_ident()), np.zeros(1), wide=True)
        assert seen == (0, blas_threads(), threading.get_ident())


def test_two_who_compute_at_once_agree_on_the_threads_of_blas_and_leave_them_as_they_were():
    with blas.blas().limit(limits=2, user_api="blas"):
        before, seen, met = blas_threads(), [], threading.Barrier(2, timeout=20)

        def compute(first):
            with blas.blas_threads(1):
                met.wait()
                if first:
                    left.wait(20)  # the other has left, and this one goes on
                seen.append(blas_threads())
            if not first:
                left.set()

        left = threading.Event()
        run_at_once(lambda: compute(True), lambda: compute(False))
        assert seen == [1, 1] and blas_threads() == before


def test_who_needs_other_threads_of_blas_waits():
    order, inside = [], threading.Event()

    def one():
        with blas.blas_threads(1):
            inside.set()
            for _ in range(50):
                order.append(blas_threads())

    def all_of_them():
        inside.wait(20)
        with blas.blas_threads(None):
            order.append("all")

    run_at_once(one, all_of_them)
    assert order == [1] * 50 + ["all"]


def test_another_number_of_blas_threads_inside_is_an_error_and_the_same_is_none():
    before = blas_threads()
    with blas.blas_threads(1), blas.blas_threads(1):
        with pytest.raises(RuntimeError, match=r"blas_threads\(None\) inside blas_threads\(1\)"):
            blas.blas_threads(None).__enter__()
        assert blas_threads() == 1
    with blas.blas_threads(None):
        assert blas_threads() == before


def test_no_more_cores_are_used_than_asked_for():
    before = threads.cores(), blas_threads()
    with threads.at_most(1):
        assert (threads.cores(), blas_threads()) == (1, 1)
    with threads.at_most(None):
        assert (threads.cores(), blas_threads()) == before
    assert (threads.cores(), blas_threads()) == before


def run_at_once(*functions):
    running = [threading.Thread(target=function) for function in functions]
    for one in running:
        one.start()
    for one in running:
        one.join(30)


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
    return blas.blas().select(user_api="blas").info()[0]["num_threads"]

"""Forward passes on several cores: who has how many rows, and which thread of BLAS."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidiff.nn import threads
from minidiff.ops.op import grad_enabled
from minidiff.ops.winograd import winograd_pays


@pytest.mark.parametrize("rows, wide, parts",
                         [(2, False, 1), (15, False, 1), (16, False, 2), (2, True, 2), (3, True, 2)])
def test_rows_are_shared_among_cores_that_each_have_a_thread_of_blas(rows, wide, parts, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    seen = []

    def double(x):
        seen.append((len(x), blas_threads()))
        return 2 * x

    assert_array_equal(threads.share_rows(double, np.arange(rows), wide=wide), 2 * np.arange(rows))
    assert len(seen) == parts and sum(size for size, _ in seen) == rows and {count for _, count in seen} == {1}


def test_a_wide_model_with_fewer_rows_than_cores_has_the_threads_of_blas(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    with threads.blas().limit(limits=2, user_api="blas"):
        seen = threads.share_rows(lambda x: (x, blas_threads(), threading.get_ident()), np.zeros(1), wide=True)
        assert seen == (0, blas_threads(), threading.get_ident())


@pytest.mark.parametrize("rows", [1, 16])
def test_forward_passes_keep_no_gradient_and_take_fast_convolutions(rows, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    seen = []

    def look(x):
        seen.append((grad_enabled(), winograd_pays(np.zeros((32, 4, 4, 1)), np.zeros((3, 3, 1, 1)))))
        return x

    threads.share_rows(look, np.zeros(rows))
    assert set(seen) == {(False, True)}
    assert grad_enabled()


def blas_threads():
    return threads.blas().select(user_api="blas").info()[0]["num_threads"]

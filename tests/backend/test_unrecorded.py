"""What a tape can't hold is computed call by call, with what a call gives, and nothing of its recording stays."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidiff.backend.tape import taped


def test_what_cannot_be_recorded_changes_its_own_arrays_once(rng):
    total = np.zeros(3)

    def run(total, x):
        total += x
        return x * float(x.sum())

    replay = taped(run, (total,))
    with pytest.warns(UserWarning, match="elements of an array are read"):
        replay(np.ones(3))
    assert_array_equal(total, np.ones(3))
    replay(np.ones(3))
    assert_array_equal(total, np.full(3, 2.0))


@pytest.mark.parametrize("run", [
    lambda x: x if x[0, 0] > 0 else -x, lambda x: x * float(x.sum()), lambda x: np.asarray(x) + 1,
    lambda x: np.sort(x), lambda x: x.cumsum(axis=0), lambda x: np.modf(x)[0],
    lambda x: x[x > x.max(axis=1, keepdims=True) - 0.5].sum(), lambda x: x[:, (x > 0)[0]].sum(axis=1),
    lambda x: np.add.accumulate(x), lambda x: np.ones((3, 4)), lambda x: np.add(x, 1, out=np.empty((3, 4))),
    lambda x: written(np.zeros((3, 4)), x), lambda x: added(np.zeros((3, 4)), x)])
def test_what_a_tape_cannot_hold_is_computed_call_by_call_after_one_warning(run, rng):
    replay = taped(run)
    x = rng.standard_normal((3, 4))
    with pytest.warns(UserWarning, match=r"computed call by call, .* as it can't be recorded: ."):
        assert_array_equal(replay(x), run(x))
    for x in rng.standard_normal((3, 3, 4)):
        assert_array_equal(replay(x), run(x))


def written(y, x):
    y[...] = x
    return y


def added(y, x):
    y += x
    return y


def test_a_function_that_cannot_be_recorded_keeps_no_memory_of_the_recording():
    seen = []

    def run(x):
        if not isinstance(x, np.ndarray):
            seen.append(weakref.ref(x.block.piece))
        return np.sort(x)

    replay = taped(run)
    with pytest.warns(UserWarning, match="can't be recorded"):
        replay(np.ones(3))
    gc.collect()
    assert seen[0]() is None


def test_an_error_of_the_function_is_raised_as_it_is():
    def wrong(x):
        raise error("wrong")

    for error in (TypeError, ValueError):
        with pytest.raises(error, match="wrong"):
            taped(wrong)(np.ones(3))


def test_a_function_is_recorded_after_a_call_that_failed():
    calls = []

    def run(x):
        calls.append(x)
        return x * 2 if len(calls) > 2 else x.missing

    replay = taped(run)
    with pytest.raises(AttributeError, match="missing"):
        replay(np.ones(3))
    for x in (1.0, 2.0, 3.0):
        assert_array_equal(replay(np.full(3, x)), np.full(3, 2 * x))
    assert len(calls) == 3

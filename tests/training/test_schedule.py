"""The learning rate and the decay of the moving average."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from minidiff.training.schedule import average_decay, learning_rate


@given(st.integers(1, 50), st.integers(60, 500), st.floats(1e-5, 1.0))
def test_the_learning_rate_rises_stays_and_falls_to_its_floor(warmup, total, peak):
    rates = [learning_rate(step, total, peak, warmup) for step in range(total + 1)]
    falls = total - 0.2 * (total - warmup)
    assert all(a < b for a, b in pairwise(rates[:warmup]))
    assert all(rate == peak for step, rate in enumerate(rates) if warmup <= step < falls)
    assert all(a > b for step, (a, b) in enumerate(pairwise(rates)) if step > falls)
    assert math.isclose(rates[-1], 0.02 * peak, rel_tol=1e-9)
    assert learning_rate(2 * total, total, peak, warmup) == rates[-1]


@given(st.integers(1, 50), st.integers(60, 500), st.integers(1, 500))
def test_a_longer_run_begins_with_the_steps_of_a_shorter_one(warmup, total, more):
    for step in range(int(total - 0.2 * (total - warmup))):
        assert learning_rate(step, total, 1.0, warmup) == learning_rate(step, total + more, 1.0, warmup)


def test_the_average_is_short_at_first_and_then_as_long_as_asked():
    decays = [average_decay(step, 0.999) for step in range(20_000)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.999

"""What measures: checks before times, turns, ratios, ceilings."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure import checks, rows, timing
from benchmarks.measure.ceilings import measure_ceilings
from benchmarks.measure.threads import limited
from minidiff.nn.threads import cores


def test_wrong_results_are_not_timed():
    x = np.ones(10)
    assert checks.check("right", x, x, 1e-4) == 0
    with pytest.raises(checks.Different, match=r"wrong: results differ by 1\.0e-02"):
        checks.check("wrong", 1.01 * x, x, 1e-4)
    with pytest.raises(checks.Different):
        checks.check("no number", x * np.nan, x, 1e-4)


def test_threads_are_limited_for_ours_too():
    with limited(1):
        assert cores() == 1


def test_every_runtime_has_its_turn_in_every_round():
    calls = []
    times = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, pause=0.0)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert [len(time.seconds) for time in times.values()] == [3, 3]


def test_a_ratio_is_to_the_best_peer_on_the_same_device():
    times = {name: timing.Timing((seconds, seconds, 9 * seconds)) for name, seconds in
             {"NumPy": 3.0, "PyTorch": 6.0, "PyTorch NHWC": 4.0, "CuPy": 1.0, "PyTorch GPU": 2.0}.items()}
    assert rows.ratios(times) == {"NumPy": 0.75, "CuPy": 0.5}
    assert rows.ratios({"NumPy": timing.Timing((1.0,))}) == {}


def test_ceilings_are_those_of_as_many_bytes(ceilings):
    assert ceilings["cpu"].copy(1000) == 50.0
    assert ceilings["cpu"].copy(1 << 28) == 20.0
    np.testing.assert_allclose(ceilings["cpu"].seconds(1e11, 1000), 1.0, rtol=1e-12, atol=0)
    np.testing.assert_allclose(ceilings["cpu"].seconds(0, 2e10), 1.0, rtol=1e-12, atol=0)
    measured = measure_ceilings(side=64, largest=1 << 16, rounds=1)
    assert measured.gemm > 0 and [size for size, _ in measured.copies] == [1 << 15]

"""Training steps: every stage can be built, its memory is measured, and its time is fitted to its operations."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure.products import counted
from benchmarks.measure.timing import Timing
from benchmarks.scaling import benchmark as scaling
from benchmarks.steps import benchmark as steps
from benchmarks.steps.sizes import SIZES
from benchmarks.steps.stages import stages


@pytest.mark.parametrize("size", SIZES)
def test_every_stage_of_a_size_can_be_built(size):
    names = [stage.name for stage in stages(SIZES[size], "cpu")]
    assert names == ["autoencoder", "contrastive", "diffusion"]


def test_memory_of_a_training_step_is_that_of_its_process():
    [step] = steps.measure(["smoke"], match="autoencoder", rounds=1, pause=0.0, busy=1)
    assert 0 < step["MB"]["NumPy"] < 200


def test_denoising_is_timed_at_every_batch_size():
    found = list(steps.measure(["smoke"], match="denoising", rounds=1, pause=0.0))
    assert [row["detail"] for row in found] == ["smoke: batch 1", "smoke: batch 2", "smoke: batch 8"]


def test_an_exponent_is_the_slope_of_log_time_over_log_operations():
    points = [(10.0, {"NumPy": 3.0, "PyTorch": 1.0}), (1000.0, {"NumPy": 30.0, "PyTorch": 1e4})]
    assert scaling.exponents(points) == pytest.approx({"NumPy": 0.5, "PyTorch": 2.0}, rel=1e-9, abs=0)


def test_operations_are_those_of_all_workers(monkeypatch):
    monkeypatch.setattr(scaling, "interleaved", lambda runs, rounds, pause: {name: Timing((1.0,)) for name in runs})
    one, two = ([row["operations"] for row in scaling.measure(["smoke"], match="batch", threads=threads)]
                for threads in (1, 2))
    assert one == two and one == sorted(one)


def test_the_growth_of_a_step_is_fitted_to_its_operations(monkeypatch):
    """A step that took the root of its operations in seconds has the exponent 1/2, from the second point on."""
    def root_of_operations(runs, rounds, pause):
        with counted() as operations:
            runs["NumPy"]()
        return {"NumPy": Timing((sum(operations) ** 0.5,))}

    monkeypatch.setattr(scaling, "interleaved", root_of_operations)
    found = list(scaling.measure(["smoke"], match="batch", threads=1))
    growth = np.divide([row["operations"] for row in found[1:]], [row["operations"] for row in found[:-1]])
    assert all(1.6 < factor <= 2 for factor in growth)  # a larger batch has maps for Winograd's form
    exponents = [row["exponent"]["NumPy"] for row in found[1:]]
    assert "exponent" not in found[0] and exponents == pytest.approx([0.5] * 3, rel=1e-9, abs=0)

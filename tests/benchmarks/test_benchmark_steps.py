"""Training steps: every stage can be built, its memory is measured, its operations are counted."""

from __future__ import annotations

import pytest

from benchmarks.steps import benchmark as steps
from benchmarks.steps.sizes import SIZES
from benchmarks.steps.stages import stages


@pytest.mark.parametrize("size", [size for size in SIZES if size != "large"])
def test_every_stage_of_a_size_can_be_built(size):
    names = [stage.name for stage in stages(SIZES[size], "cpu")]
    assert names == ["autoencoder", "contrastive", "diffusion"]


def test_memory_of_a_training_step_is_that_of_its_process():
    [step] = steps.measure(["smoke"], match="autoencoder", rounds=1, pause=0.0, busy=1)
    assert 0 < step["MB"]["NumPy"] < 200


def test_denoising_is_timed_at_every_batch_size():
    found = list(steps.measure(["smoke"], match="denoising", rounds=1, pause=0.0))
    assert [row["detail"] for row in found] == ["smoke: batch 1", "smoke: batch 2", "smoke: batch 8", "smoke: batch 32"]

"""Training steps: every stage can be built, its memory is measured, its operations are counted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure.checks import Different
from benchmarks.steps import benchmark as steps
from benchmarks.steps.sizes import SIZES
from benchmarks.steps.stages import stages
from benchmarks.steps.training import worst


@pytest.mark.parametrize("size", [size for size in SIZES if size != "large"])
def test_every_stage_of_a_size_can_be_built(size):
    names = [stage.name for stage in stages(SIZES[size], "cpu")]
    assert names == ["autoencoder", "contrastive", "diffusion"]


def test_a_gradient_that_one_side_misses_is_different():
    one, two = {"a": np.ones(3)}, {"a": np.ones(3), "b": np.full(3, 100.0)}
    for pair in ((one, two), (two, one)):
        with pytest.raises(Different, match="only one side has gradients of b"):
            worst("a step", *pair)


def test_memory_of_a_training_step_is_that_of_its_process():
    [step] = steps.measure(["smoke"], match="autoencoder", rounds=1, pause=0.0, busy=1)
    assert 0 < step["MB"]["NumPy"] < 200


def test_denoising_is_timed_at_every_batch_size():
    found = list(steps.measure(["smoke"], match="denoising forward", rounds=1, pause=0.0))
    assert [row["detail"] for row in found] == ["smoke: batch 1", "smoke: batch 2", "smoke: batch 8", "smoke: batch 32"]

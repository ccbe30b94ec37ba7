"""Training on a CPU by steps that are recorded on a tape: the same gradients, as the weights change."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_training import SETTINGS, stages

from minidiff.backend import without_graphs
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.flat import Flat
from minidiff.training.workers import Workers


def gradients(stage, count):
    """The losses and the gradients of three batches, with other weights for each, by `count` workers."""
    flat, found = Flat([p for model in stage.models for p in model.parameters()]), []
    workers, rng = Workers(stage, flat, count), np.random.default_rng(0)
    for index in range(3):
        workers.clear()
        losses = stage.step(workers, 0.5, *stage.draw(index))
        workers.add_gradients()
        found.append((losses, flat.grad.copy()))
        flat.value *= rng.uniform(0.9, 1.1, flat.value.shape).astype(np.float32)
    workers.close()
    return found


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_replayed_steps_have_the_gradients_of_steps_call_by_call(finished, which, count):
    recorded = gradients(stages(finished)[which], count)
    with without_graphs():
        expected = gradients(stages(finished)[which], count)
    for (losses, grad), (expected_losses, expected_grad) in zip(recorded, expected, strict=True):
        assert losses.keys() == expected_losses.keys()
        for name, loss in losses.items():
            assert_allclose(loss, expected_losses[name], rtol=1e-5)
        assert np.linalg.norm(grad - expected_grad) < 1e-5 * np.linalg.norm(expected_grad)
    assert not np.allclose(recorded[0][1], recorded[1][1], rtol=0.1)


def test_a_stage_is_recorded_once_by_each_worker_for_its_rows(monkeypatch):
    stage, calls = AutoencoderTraining(SETTINGS), []
    learn = stage.learn
    monkeypatch.setattr(stage, "learn", lambda *batch: (calls.append(batch[1].shape), learn(*batch))[1])
    gradients(stage, 1)
    assert len(calls) == 1
    stage.recordable = False
    gradients(stage, 1)
    assert len(calls) == 4


def test_the_memory_of_a_recorded_step_goes_with_the_workers():
    stage = AutoencoderTraining(SETTINGS)
    flat = Flat(stage.model.parameters())
    gc.disable()
    try:
        workers = Workers(stage, flat, 1)
        stage.step(workers, 1.0, *stage.draw(0))
        recorded = weakref.ref(workers.recorded)
        workers.close()
        assert recorded() is None
    finally:
        gc.enable()

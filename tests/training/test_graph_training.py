"""Training on a GPU by recorded graphs: the same bits as kernel by kernel, resumed or not. Needs a GPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, STAGE

from minidiff.backend import gpu_available, to_host, without_graphs
from minidiff.training import loop
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining

pytestmark = pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")


def trainer(finished, folder, kind, device="cuda", **changes):
    settings = replace(STAGE, batch_size=4, **changes)
    own = replace(SETTINGS, train_autoencoder=settings, train_contrastive=settings, train_diffusion=settings)
    if kind is AutoencoderTraining:
        stage = kind(own, device)
    elif kind is ContrastiveTraining:
        stage = kind(own, finished.tokenizer(), device)
    else:
        text_encoder = ContrastiveTraining(own, finished.tokenizer()).model.text_model
        stage = kind(own, finished.tokenizer(), text_encoder, finished.latents(), device)
    return loop.Trainer(stage, settings, folder, 1)


def state(trainer):
    return {name: to_host(array) for name, array in trainer._arrays().items()}


@pytest.mark.parametrize(("kind", "optimizer", "steps", "accumulation"), [
    (DiffusionTraining, "adamw", 100, 1), (DiffusionTraining, "muon", 10, 1), (DiffusionTraining, "lion", 10, 2),
    (AutoencoderTraining, "adamw", 10, 1), (ContrastiveTraining, "adamw", 10, 1)])
def test_replayed_steps_have_the_bits_of_steps_kernel_by_kernel(kind, optimizer, steps, accumulation, finished,
                                                                tmp_path):
    options = {"optimizer": optimizer, "steps": steps, "accumulation": accumulation}
    recorded = trainer(finished, tmp_path / "recorded", kind, **options)
    recorded_progress = list(recorded.train())
    eager = trainer(finished, tmp_path / "eager", kind, **options)
    with without_graphs():
        eager_progress = list(eager.train())
    found, expected = state(recorded), state(eager)
    for name, array in expected.items():
        assert_array_equal(found[name], array, err_msg=name)
    assert [p.losses for p in recorded_progress] == [p.losses for p in eager_progress]
    assert [p.gradient_norm for p in recorded_progress] == [p.gradient_norm for p in eager_progress]
    assert not np.array_equal(found["value"], found["average"])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_records_anew_and_ends_with_the_same_bits(optimizer, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    whole, stopped, resumed = (trainer(finished, tmp_path / folder, DiffusionTraining, optimizer=optimizer, steps=6)
                               for folder in ("whole", "stopped", "stopped"))
    list(whole.train())
    assert next(progress.step for progress in stopped.train() if progress.step == 3)
    assert resumed.resume() and resumed.step == 3
    list(resumed.train())
    found, expected = state(resumed), state(whole)
    for name, array in expected.items():
        assert_array_equal(found[name], array, err_msg=name)


def test_steps_on_a_gpu_are_those_on_a_cpu(finished, tmp_path):
    gpu, cpu = (trainer(finished, tmp_path / device, DiffusionTraining, device, optimizer="adamw", steps=4)
                for device in ("cuda", "cpu"))
    list(gpu.train())
    list(cpu.train())
    for name, array in state(cpu).items():
        assert_allclose(state(gpu)[name], array, rtol=0, atol=1e-4 * np.abs(array).max(), err_msg=name)

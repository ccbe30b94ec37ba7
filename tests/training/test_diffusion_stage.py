"""The diffusion stage: its times, captions, weights and text encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_training import SETTINGS, STAGE

from minidiff.errors import UserError
from minidiff.training import loop
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining, Latents, scaling_factor
from minidiff.training.flat import Flat
from minidiff.training.workers import Workers


def diffusion_step(run, **changes):
    """The diffusion stage with some settings changed, after the gradient of its first batch."""
    settings = replace(SETTINGS, diffusion=replace(SETTINGS.diffusion, **changes))
    text_encoder = ContrastiveTraining(settings, run.tokenizer()).model.text_model
    stage = DiffusionTraining(settings, run.tokenizer(), text_encoder, run.latents())
    flat = Flat([p for model in stage.models for p in model.parameters()])
    stage.step(Workers(stage, flat, 1), 1.0, *stage.draw(0))
    return stage


@pytest.fixture
def batches(monkeypatch):
    """What `denoising_loss` is given: x, t, ids, answer, weight of each batch."""
    seen = []
    monkeypatch.setattr(DiffusionTraining, "recordable", False)
    monkeypatch.setattr("minidiff.training.diffusion.denoising_loss",
                        lambda unet, text, *batch: (seen.append(batch[:5]), ({"loss": 0.0}, lambda fraction: None))[1])
    return seen


def test_the_text_encoder_learns_with_the_unet_only_if_asked(finished):
    for asked in (True, False):
        stage = diffusion_step(finished, train_text_encoder=asked)
        assert any(np.any(p.grad) for p in stage.text_encoder.parameters()) == asked


def test_a_frozen_text_encoder_is_not_even_decayed(finished, tmp_path):
    stage = diffusion_step(finished, train_text_encoder=False)
    before = [p.value.copy() for p in stage.text_encoder.parameters()]
    list(loop.Trainer(stage, replace(STAGE, steps=2), tmp_path, threads=1).train())
    assert all((p.value == old).all() for p, old in zip(stage.text_encoder.parameters(), before, strict=True))


def test_dropped_captions_are_the_empty_prompt(finished, batches):
    diffusion_step(finished, caption_dropout=0.0)
    diffusion_step(finished, caption_dropout=1.0)
    empty = finished.tokenizer()([""])
    assert not (batches[0][2] == empty).all(axis=1).any()
    assert (batches[1][2] == empty).all()


def test_the_loss_of_each_sample_has_its_weight(finished, batches):
    for weighting in ("uniform", "min_snr", "sqrt_snr"):
        stage = diffusion_step(finished, prediction="epsilon", weighting=weighting)
    alpha, sigma = stage.schedule.at(batches[1][1])
    assert (batches[0][4] == 1).all()
    assert_allclose(batches[1][4], np.minimum(alpha**2, 5 * sigma**2) / alpha**2, rtol=1e-6, atol=0)
    assert_allclose(batches[2][4], sigma / alpha, rtol=1e-6, atol=0)


def test_training_draws_its_times_shifted_towards_noise(finished, batches):
    for shift in (1.0, 100.0):
        diffusion_step(finished, time_shift=shift, layout_fraction=0.0)
    assert batches[0][1].mean() < 800 < 900 < batches[1][1].min()


@pytest.mark.parametrize("prediction, last", [("v_prediction", 999), ("flow_prediction", 1000)])
def test_a_part_of_each_batch_is_pure_noise(finished, batches, prediction, last):
    for fraction in (0.0, 0.5, 1.0):
        diffusion_step(finished, time_shift=1.0, layout_fraction=fraction, prediction=prediction)
    none, half, all_ = ((times == last).mean() for _, times, *_ in batches)
    assert none == 0 and 0 < half < 1 and all_ == 1


def test_latents_reach_the_unet_with_unit_variance():
    rng = np.random.default_rng(0)
    latents = Latents((5 * rng.normal(size=(500, 4, 4, 2))).astype(np.float16), np.zeros((500, 3), np.int32))
    assert_allclose(scaling_factor([latents]), 1 / 5, rtol=0.02, atol=0)


def test_latents_are_scaled_once(finished):
    stage, [latents] = diffusion_step(finished), finished.latents()
    stage.scaling_factor, images = 0.3, finished.source.latent_batch(0, 4).images
    (mean, _), _ = finished.finished("autoencoder").model.encode(images)
    assert_allclose(latents.mean[:4], mean, rtol=1e-2, atol=1e-2)
    t = np.float32([0, 10, 500, 900])
    x, _, _, answer, _ = stage.question(mean, np.zeros_like(mean), t, latents.ids[:4])
    alpha, sigma = (side.reshape(4, 1, 1, 1) for side in stage.schedule.at(t))
    assert_allclose(x, alpha * 0.3 * mean, rtol=1e-5, atol=1e-6)
    assert_allclose(answer, -sigma * 0.3 * mean, rtol=1e-5, atol=1e-6)


def test_latents_of_another_tokenizer_are_refused(finished):
    text_encoder = ContrastiveTraining(SETTINGS, finished.tokenizer()).model.text_model
    latents = [replace(part, ids=part.ids[:, 1:]) for part in finished.latents()]
    with pytest.raises(UserError, match="captions of another length than the tokenizer's 16 tokens"):
        DiffusionTraining(SETTINGS, finished.tokenizer(), text_encoder, latents)

"""Runs that begin from a trained model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tiny_training import SETTINGS, same_parameters

from minidiff.errors import UserError
from minidiff.storage.pipeline_folder import load_clip, load_pipeline, save_pipeline
from minidiff.training import loop, presets
from minidiff.training.diffusion import scaling_factor
from minidiff.training.run import Run
from minidiff.training.start import settings_of


def test_a_run_begun_from_a_model_goes_on_with_its_unet_alone(tmp_path, finished):
    model = finished.model_folder
    run = Run(tmp_path / "more", SETTINGS, threads=1, start=model)
    assert list(run.train(["tokenizer", "autoencoder", "contrastive"])) == []
    assert {progress.stage for progress in run.train(["latents"])} == {"latents"}
    before, clip = load_pipeline(model), load_clip(model)
    same_parameters(run.trainer("diffusion").stage.unet, before.unet)
    assert [(progress.stage, progress.step) for progress in run.train()] == [("diffusion", 6)]
    after = load_pipeline(run.model_folder)
    same_parameters(after.vae, before.vae)
    same_parameters(after.text_encoder, before.text_encoder)
    same_parameters(load_clip(run.model_folder), clip)
    for a, b in zip(after.unet.parameters(), before.unet.parameters(), strict=True):
        assert (a.value != b.value).any()
    assert after.tokenizer.vocabulary == before.tokenizer.vocabulary


def test_a_run_begun_from_a_model_has_the_text_encoder_that_its_unet_learned_with(tmp_path, finished):
    parts, clip = load_pipeline(finished.model_folder), load_clip(finished.model_folder)
    for parameter in parts.text_encoder.parameters():
        parameter.value = parameter.value + np.float32(0.5)
    save_pipeline(parts, tmp_path / "model", clip, "float32")
    run = Run(tmp_path / "more", SETTINGS, threads=1, start=tmp_path / "model")
    list(run.train(["latents"]))
    same_parameters(run.trainer("diffusion").stage.text_encoder, parts.text_encoder)
    same_parameters(run.trainer("contrastive").stage.model, clip)


def test_a_model_without_a_contrastive_model_can_only_be_adapted(tmp_path, finished):
    save_pipeline(load_pipeline(finished.model_folder), tmp_path / "model")
    with pytest.raises(UserError, match=r"no contrastive model \(folder clip\), .*: adapt it by --lora"):
        Run(tmp_path / "run", SETTINGS, start=tmp_path / "model")


def test_a_run_begun_from_a_model_keeps_the_scale_of_its_latents(tmp_path, finished):
    parts, clip = load_pipeline(finished.model_folder), load_clip(finished.model_folder)
    parts.vae.config = replace(parts.vae.config, scaling_factor=0.3)
    save_pipeline(parts, tmp_path / "model", clip)
    run = Run(tmp_path / "more", SETTINGS, threads=1, start=tmp_path / "model")
    list(run.train())
    stage = run.trainer("diffusion").stage
    assert stage.scaling_factor == load_pipeline(run.model_folder).vae.config.scaling_factor == 0.3
    assert scaling_factor(stage.latents) != pytest.approx(0.3, rel=0.1)
    assert Run.resume(run.folder, threads=1).trainer("diffusion").stage.scaling_factor == 0.3


def test_a_run_begun_from_a_model_goes_on_bit_for_bit_after_a_stop(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    whole, stopped = (Run(tmp_path / name, SETTINGS, threads=1, start=finished.model_folder)
                      for name in ("whole", "stopped"))
    list(whole.train())
    next(progress for progress in stopped.train() if progress.stage == "diffusion" and progress.step == 3)
    stopped = Run.resume(stopped.folder, threads=1)
    list(stopped.train())
    assert_array_equal(stopped.trainer("diffusion").average, whole.trainer("diffusion").average)


def test_a_model_says_what_the_settings_of_a_run_from_it_are(finished):
    parts, clip = load_pipeline(finished.model_folder), load_clip(finished.model_folder)
    got = settings_of(parts, clip, replace(presets.preset("small"), seed=7))
    expected = replace(SETTINGS, text=replace(SETTINGS.text, vocab_size=len(parts.tokenizer)), seed=7)
    for name in ("size", "autoencoder", "text", "image", "unet", "seed"):
        assert getattr(got, name) == getattr(expected, name)
    assert got.diffusion == replace(presets.DiffusionSettings(), prediction="v_prediction")
    assert got.train_diffusion == presets.Settings().train_diffusion


@pytest.mark.parametrize("group, name, value", [
    ("autoencoder", "latent_channels", 3), ("image", "patch_size", 4), ("text", "hidden_size", 16),
    ("unet", "block_out_channels", (8, 8))])
def test_a_run_of_other_sizes_than_the_model_it_begins_from_is_refused(tmp_path, finished, group, name, value):
    other = replace(SETTINGS, **{group: replace(getattr(SETTINGS, group), **{name: value})})
    with pytest.raises(UserError, match=f"{group}: a run with {name} = "):
        Run(tmp_path / "run", other, start=finished.model_folder)
    assert not list(tmp_path.iterdir())

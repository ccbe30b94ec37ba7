"""A training run of a few thousand parameters: 16 x 16 images, six steps a stage."""

from __future__ import annotations

import pytest
from numpy.testing import assert_array_equal

from minidiff.training import loop, presets
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining
from minidiff.training.presets import StageSettings
from minidiff.training.run import Run

STAGE = StageSettings(steps=6, batch_size=8, learning_rate=1e-3, time_fraction=0.3, warmup=2)
SETTINGS = presets.Settings(
    size=16,
    autoencoder=presets.AutoencoderSettings(block_out_channels=(4, 8), norm_num_groups=2),
    text=presets.TextSettings(vocab_size=600, max_length=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2),
    image=presets.ImageSettings(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, projection_dim=4),
    unet=presets.UNetSettings(block_out_channels=(8, 16), attention_levels=(False, True), attention_head_dim=2,
                              norm_num_groups=4),
    diffusion=presets.DiffusionSettings(prediction="v_prediction", latents=40),
    train_autoencoder=STAGE, train_contrastive=STAGE, train_diffusion=STAGE)


def stages(run):
    """One fresh stage of each kind."""
    tokenizer = run.tokenizer()
    clip = ContrastiveTraining(SETTINGS, tokenizer)
    return [AutoencoderTraining(SETTINGS), clip,
            DiffusionTraining(SETTINGS, tokenizer, ContrastiveTraining(SETTINGS, tokenizer).model.text_model,
                              run.latents())]


def same_parameters(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert_array_equal(a.value, b.value)


def everything(run):
    """All arrays that the last checkpoints of a run hold, and where it stands."""
    trainers = {stage: run.trainer(stage) for stage in trained_stages(run)}
    return {(stage, name): array for stage, trainer in trainers.items()
            for name, array in {"value": trainer.flat.value, "average": trainer.average, "step": trainer.step,
                                **trainer.optimizer.state()}.items()}


def trained_stages(run):
    return [stage for stage in run.stages if stage not in ("tokenizer", "latents")]


def stopped_and_resumed(folder, settings, monkeypatch):
    """A run to its end that is stopped twice in each stage, and resumed from its files each time."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    Run(folder, settings, threads=1)
    for stops in range(20):
        for progress in Run.resume(folder, threads=1).train():
            if progress.stage not in ("images", "latents") and progress.step in (2, 4):  # saved: stop
                break
        else:
            assert stops == 2 * len(trained_stages(Run.resume(folder)))
            return
    pytest.fail("a stopped run does not move on")


def assert_stopping_changes_nothing(whole, folder, monkeypatch):
    """A run with the settings of `whole`, in `folder`, ends with the same bits although it is stopped and resumed."""
    stopped_and_resumed(folder, whole.settings, monkeypatch)
    expected, got = (everything(Run.resume(run, threads=1)) for run in (whole.folder, folder))
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert_array_equal(got[name], array, err_msg=str(name))

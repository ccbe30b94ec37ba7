"""Runs: stopped, killed, lengthened and resumed, and what they write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, STAGE

from minidiff.errors import UserError
from minidiff.storage.checkpoint import latest, list_checkpoints
from minidiff.storage.pipeline_folder import load_clip, load_pipeline
from minidiff.training import loop
from minidiff.training.diffusion import scaling_factor
from minidiff.training.run import Run


def test_a_killed_run_goes_on_from_its_checkpoint_and_leaves_no_half_written_file(tmp_path):
    folder = tmp_path / "run"
    program = ("import sys; from pathlib import Path; from minidiff.training import loop; loop.LOOK_EVERY = 1; "
               "loop.CHECKPOINT_SECONDS = 0; from dataclasses import replace; "
               "from tiny_training import SETTINGS, STAGE; from minidiff.training.run import Run\n"
               "long = replace(SETTINGS, train_autoencoder=replace(STAGE, steps=100_000))\n"
               "list(Run(Path(sys.argv[1]), long, threads=1).train())")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1",
                                "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, sys.path)])}
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], env=environment)
    checkpoints = folder / "checkpoints" / "autoencoder"
    deadline = time.monotonic() + 60
    while not len(list_checkpoints(checkpoints)) > 1 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, _, state = latest(checkpoints)
    run = Run.resume(folder, threads=1)
    assert run.trainer("autoencoder").step == state["step"] > 0
    assert next(run.train(["autoencoder"])).step > state["step"]


def test_a_run_lengthened_before_its_rate_falls_equals_a_longer_one(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    long, short = (Run(tmp_path / str(steps), replace(SETTINGS, train_autoencoder=replace(STAGE, steps=steps)),
                       threads=1) for steps in (16, 8))
    list(long.train(["tokenizer", "autoencoder"]))
    next(progress for progress in short.train(["tokenizer", "autoencoder"]) if progress.step == 6)
    Run.resume(short.folder, threads=1).lengthen("autoencoder", 16)
    short = Run.resume(short.folder, threads=1)
    list(short.train(["autoencoder"]))
    assert_array_equal(short.trainer("autoencoder").flat.value, long.trainer("autoencoder").flat.value)


def test_a_resumed_run_has_its_own_settings_and_a_begun_one_is_not_begun_again(finished):
    assert Run.resume(finished.folder).settings == SETTINGS
    with pytest.raises(UserError, match="--resume"):
        Run(finished.folder, SETTINGS)


def test_resume_without_a_run_and_an_unknown_stage_are_one_clear_line(tmp_path, finished):
    with pytest.raises(UserError, match="no training run"):
        Run.resume(tmp_path)
    with pytest.raises(UserError, match="unknown stage 'unet'"):
        list(finished.train(["unet"]))


def test_a_stage_that_needs_another_says_so(tmp_path):
    run = Run(tmp_path / "run", SETTINGS)
    list(run.train(["tokenizer"]))
    with pytest.raises(UserError, match=r"autoencoder stage .* is not done"):
        list(run.train(["latents"]))


@pytest.mark.parametrize(("group", "changes", "message"), [
    ("diffusion", {"prediction": "score"}, "flow_prediction"),
    ("diffusion", {"weighting": "snr"}, "sqrt_snr"),
    ("unet", {"norm_num_groups": 3}, "doesn't divide 8 channels"),
    ("unet", {"attention_head_dim": 3}, "don't divide 8 channels"),
])
def test_what_the_last_stage_cannot_begin_with_is_said_before_the_first(tmp_path, group, changes, message):
    settings = replace(SETTINGS, **{group: replace(getattr(SETTINGS, group), **changes)})
    with pytest.raises(UserError, match=message):
        Run(tmp_path / "run", settings)
    assert not any(tmp_path.iterdir())


def test_metrics_are_one_json_record_a_line(finished):
    records = [json.loads(line) for line in (finished.folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["stage"] for r in records] == ["autoencoder", "contrastive", "diffusion"]
    assert all(r["step"] == 6 and np.isfinite(r["loss"]) and r["samples_per_second"] > 0 for r in records)


def test_the_saved_model_holds_the_averages(finished):
    parts = load_pipeline(finished.model_folder)
    clip = load_clip(finished.model_folder)
    for stage, saved in (("contrastive", clip), ("diffusion", parts.unet)):
        trainer = finished.trainer(stage)
        with trainer.averaged():
            for own, learned in zip(saved.parameters(), trainer.stage.models[0].parameters(), strict=True):
                assert_allclose(own.value, learned.value, rtol=1e-3, atol=1e-4)
    for frozen, learned in zip(parts.text_encoder.parameters(), clip.text_model.parameters(), strict=True):
        assert_allclose(frozen.value, learned.value, rtol=1e-3, atol=1e-4)
    assert parts.vae.config.scaling_factor == pytest.approx(scaling_factor(finished.latents()))
    assert parts.scheduler["flow_shift"] == SETTINGS.diffusion.time_shift
    assert parts.scheduler["prediction_type"] == "v_prediction" and parts.scheduler["rescale_betas_zero_snr"]

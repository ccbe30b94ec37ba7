"""Runs on images in buckets: stopped and resumed, split among workers, and what their latents are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from captioned_folder import shaped_folder
from numpy.testing import assert_allclose
from tiny_training import SETTINGS, assert_stopping_changes_nothing

from minidiff.errors import UserError
from minidiff.storage.checkpoint import load_checkpoint
from minidiff.training import presets
from minidiff.training.diffusion import scaling_factor
from minidiff.training.flat import Flat
from minidiff.training.run import Run
from minidiff.training.workers import Workers

COUNTS = {(32, 16): 9, (24, 24): 6, (16, 32): 12}


def settings(tmp_path, **changes):
    own = tmp_path / "own"
    if not own.exists():
        shaped_folder(own, COUNTS)
    return replace(SETTINGS, size=24, data=presets.DataSettings(str(own), buckets=True, **changes))


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, monkeypatch):
    wanted = settings(tmp_path, flip=True)
    whole = Run(tmp_path / "whole", wanted, threads=1)
    list(whole.train())
    assert_stopping_changes_nothing(whole, tmp_path / "stopped", monkeypatch)


def test_the_latents_of_each_shape_are_an_array_and_one_factor_scales_all(tmp_path):
    run = Run(tmp_path / "run", settings(tmp_path), threads=1)
    list(run.train(["tokenizer", "autoencoder", "latents"]))
    arrays, _ = load_checkpoint(run.folder / "latents.safetensors")
    assert {*arrays} == {"mean", "ids", "mean.1", "ids.1", "mean.2", "ids.2"}
    latents = run.latents()
    assert [one.mean.shape[1:3] for one in latents] == [(16, 8), (12, 12), (8, 16)]
    assert [len(one.ids) for one in latents] == [len(bucket.split[0]) for bucket in run.source.buckets]
    values = np.concatenate([one.mean.astype(np.float64).ravel() for one in latents])
    assert_allclose(scaling_factor(latents), 1 / np.sqrt(((values - values.mean()) ** 2).mean()), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", ["autoencoder", "diffusion"])
def test_workers_together_compute_the_gradient_of_one_for_every_shape(tmp_path, name):
    run = Run(tmp_path / "run", settings(tmp_path), threads=1)
    list(run.train(["tokenizer", "autoencoder", "contrastive", "latents"]))
    for index in range(4):
        one, two = (gradient(run._stage(name), index, count) for count in (1, 2))
        assert_allclose(two, one, rtol=1e-4, atol=1e-5 * np.abs(one).max())


def gradient(stage, index, count):
    flat = Flat([p for model in stage.models for p in model.parameters()])
    workers = Workers(stage, flat, count)
    workers.clear()
    stage.step(workers, 1.0, *stage.draw(index))
    workers.add_gradients()
    workers.close()
    return flat.grad.copy()


def test_scenes_have_no_buckets(tmp_path):
    with pytest.raises(UserError, match="give them by --data PATH"):
        Run(tmp_path / "run", replace(SETTINGS, data=presets.DataSettings(buckets=True)))

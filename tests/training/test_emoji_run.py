"""Runs on a set of emoji: stopped and resumed, on a changed set, and settings that mean nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from emoji_folder import emoji_folder
from numpy.testing import assert_array_equal
from tiny_training import SETTINGS, assert_stopping_changes_nothing

from minidiff.errors import UserError
from minidiff.training import presets
from minidiff.training.run import Run


@pytest.fixture(scope="module")
def emoji(tmp_path_factory):
    return emoji_folder(tmp_path_factory.mktemp("emoji"))


def settings(folder, **changes):
    return replace(SETTINGS, data=presets.DataSettings(f"emoji:{folder}", **changes))


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, emoji, monkeypatch):
    whole = Run(tmp_path / "whole", settings(emoji), threads=1)
    stages = {progress.stage: progress.total for progress in whole.train()}
    assert stages == {"images": 30, "autoencoder": 6, "contrastive": 6, "latents": 40, "diffusion": 6}
    assert_stopping_changes_nothing(whole, tmp_path / "stopped", monkeypatch)
    assert_array_equal(Run.resume(tmp_path / "stopped").latents()[0].ids, whole.latents()[0].ids)


def test_a_run_goes_on_with_its_own_copy_of_a_set_that_has_changed(tmp_path):
    folder = emoji_folder(tmp_path)
    run = Run(tmp_path / "run", settings(folder), threads=1)
    list(run.train(["tokenizer"]))
    (folder / "1f34b.png").unlink()
    run = Run.resume(run.folder, threads=1)
    assert len(run.source.cache.emoji) == 30 and len([*run.train(["autoencoder"])]) == 1


@pytest.mark.parametrize("fraction", [-0.1, 1.5])
def test_a_fraction_of_scenes_outside_of_0_to_1_is_refused(tmp_path, emoji, fraction):
    with pytest.raises(UserError, match=f"free_wording is {fraction}: use a number from 0 to 1"):
        Run(tmp_path / "run", settings(emoji, free_wording=fraction))


def test_scenes_of_emoji_have_too_many_captions_for_classes(tmp_path, emoji):
    wanted = settings(emoji)
    with pytest.raises(UserError, match="scenes, the built-in ones or of emoji, have too many different captions"):
        Run(tmp_path / "run", replace(wanted, text=replace(wanted.text, class_labels=True)))

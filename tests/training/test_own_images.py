"""Runs on a person's own images: stopped and resumed, on changed files, of few captions, and from a model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from captioned_folder import captioned_folder
from numpy.testing import assert_array_equal
from tiny_training import SETTINGS, assert_stopping_changes_nothing

from minidiff.data.folder_source import split
from minidiff.data.image_cache import digest_of
from minidiff.errors import UserError
from minidiff.training import presets
from minidiff.training.run import Run


@pytest.fixture
def own(tmp_path):
    return captioned_folder(tmp_path / "own")


def settings(folder, **changes):
    return replace(SETTINGS, data=presets.DataSettings(str(folder), **changes))


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, own, monkeypatch):
    wanted = settings(own, crop="random", flip=True, shuffle_tags=True)
    whole = Run(tmp_path / "whole", wanted, threads=1)
    list(whole.train())
    assert_stopping_changes_nothing(whole, tmp_path / "stopped", monkeypatch)
    assert_array_equal(Run.resume(tmp_path / "stopped").latents()[0].ids, whole.latents()[0].ids)


def test_a_run_begins_with_reading_the_images_and_learns_their_words(tmp_path, own):
    run = Run(tmp_path / "run", settings(own), threads=1)
    read = [(progress.step, progress.total) for progress in run.train(["tokenizer"])]
    assert read == [(done, 24) for done in range(1, 25)]
    assert run.tokenizer().decode(run.tokenizer().encode("a red diamond")) == "a red diamond"
    assert list(Run.resume(run.folder, threads=1).train(["tokenizer"])) == []


def test_a_run_goes_on_bit_for_bit_with_its_own_copy_of_a_folder_that_changed_or_vanished(tmp_path, own):
    whole, run = (Run(tmp_path / name, settings(own), threads=1) for name in ("whole", "run"))
    list(whole.train())
    list(run.train(["tokenizer", "autoencoder"]))
    (own / "03.txt").write_text("a cat", encoding="utf-8")
    captioned_folder(own / "more")
    run = Run.resume(run.folder, threads=1)
    assert run.cache.changed_files()[0] == "03.png" and "more/00.png" in run.cache.changed_files()
    list(run.train(["contrastive", "latents"]))
    shutil.rmtree(own)
    run = Run.resume(run.folder, threads=1)
    list(run.train())
    assert_array_equal(run.trainer("diffusion").average, whole.trainer("diffusion").average)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_contrastive_batch_may_have_fewer_captions_than_workers(tmp_path, own, threads):
    for i, file in enumerate(own.glob("*.txt")):
        file.write_text(["a cat", "a dog"][i % 2], encoding="utf-8")
    many = replace(SETTINGS.train_contrastive, batch_size=16)
    run = Run(tmp_path / "run", replace(settings(own), train_contrastive=many), threads=threads)
    stages = list(run.train(["tokenizer", "contrastive"]))[24:]
    assert [(progress.stage, progress.step) for progress in stages] == [("contrastive", 6)]


def test_a_single_caption_to_train_on_is_refused_before_the_first_stage(tmp_path, own):
    held_out = {int(row) for row in split([digest_of((own / f"{i:02}.png").read_bytes()) for i in range(24)], 0.2)[1]}
    for i in range(24):
        (own / f"{i:02}.txt").write_text("a dog" if i in held_out else "a cat", encoding="utf-8")
    run = Run(tmp_path / "run", settings(own, held_out_fraction=0.2), threads=1)
    with pytest.raises(UserError, match="at least two different captions"):
        list(run.train())
    assert not (run.folder / "tokenizer").exists()
    assert [progress.stage for progress in run.train(["tokenizer", "autoencoder"])] == ["autoencoder"]


def test_a_run_that_was_refused_for_its_images_goes_on_when_they_are_mended(tmp_path, own):
    files = {path: path.read_bytes() for path in own.glob("*.png")}
    for path in [*files][:13]:
        path.write_bytes(b"nothing")
    run = Run(tmp_path / "run", settings(own), threads=1)
    with pytest.raises(UserError, match=r"and 3 more: mend or remove them, then train the run with --resume"):
        list(run.train(["tokenizer"]))
    for path, content in files.items():
        path.write_bytes(content)
    run = Run.resume(run.folder, threads=1)
    assert len(list(run.train(["tokenizer"]))) == len(run.cache.entries) == 24


def test_a_run_from_a_model_needs_one_caption_only(tmp_path, own, finished):
    for file in own.glob("*.txt"):
        file.write_text("a red thing", encoding="utf-8")
    run = Run(tmp_path / "run", settings(own), threads=1, start=finished.model_folder)
    assert [progress.stage for progress in run.train()] == ["images"] * 24 + ["latents", "diffusion"]


@pytest.mark.parametrize("changes, message", [
    ({"crop": "left"}, "unknown data.crop 'left': use one of center, random"),
    ({"held_out_fraction": 2.0}, "held_out_fraction is 2.0"),
    ({"caption_template": "a cat"}, r"caption template 'a cat' has no {}")])
def test_settings_that_mean_nothing_are_refused_before_any_work(tmp_path, own, changes, message):
    with pytest.raises(UserError, match=message):
        Run(tmp_path / "run", settings(own, **changes))
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_settings_of_a_run_that_knew_scenes_only_are_read_as_scenes(tmp_path):
    run = Run(tmp_path / "run", SETTINGS)
    path = run.folder / "settings.json"
    values = json.loads(path.read_text())
    del values["data"]
    path.write_text(json.dumps(values))
    assert Run.resume(run.folder).source.name == "scenes"

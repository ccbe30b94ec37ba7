"""Runs with class labels: one token a caption, no contrastive stage, and a model folder like any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from captioned_folder import captioned_folder
from numpy.testing import assert_array_equal
from tiny_training import SETTINGS, STAGE, assert_stopping_changes_nothing

from minidiff.errors import UserError
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import find_clip, load_pipeline
from minidiff.training import presets
from minidiff.training.class_labels import check_known, class_encoder, class_tokenizer
from minidiff.training.lora import LoRARun
from minidiff.training.run import Run

CLASSES = ["a traffic light", "a cat", "a caterpillar"]
TEXT = replace(SETTINGS.text, class_labels=True, num_hidden_layers=0, max_length=3)
WANTED = replace(SETTINGS, text=TEXT, diffusion=replace(SETTINGS.diffusion, train_text_encoder=True))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = captioned_folder(tmp_path_factory.mktemp("images") / "own")
    for i in range(24):
        (folder / f"{i:02}.txt").write_text(CLASSES[i % 3], encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def wanted(own):
    return replace(WANTED, data=presets.DataSettings(str(own)))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, wanted):
    run = Run(tmp_path_factory.mktemp("labelled") / "run", wanted, threads=1)
    assert [progress.stage for progress in run.train()] == ["images"] * 24 + ["autoencoder", "latents", "diffusion"]
    return run


def test_each_caption_is_one_token_whatever_its_case_and_white_space():
    tokenizer = class_tokenizer([*CLASSES, "A  Cat"])
    assert tokenizer.classes == ["A  Cat", "a caterpillar", "a traffic light"]
    assert tokenizer(["a cat", "A traffic light", ""]).tolist() == [[512, 514, 513], [512, 516, 513], [512, 513, 513]]


def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, labelled, monkeypatch):
    assert_stopping_changes_nothing(labelled, tmp_path / "stopped", monkeypatch)


def test_the_vectors_of_the_classes_learn_with_the_unet(labelled):
    before = class_encoder(labelled.settings, labelled.tokenizer()).embeddings.token_embedding.weight.value
    after = labelled.trainer("diffusion").stage.text_encoder.embeddings.token_embedding.weight.value
    learned = np.linalg.norm(after - before, axis=1) > 1e-3
    assert learned[-3:].all() and not learned[:512].any()


def test_the_model_draws_its_classes_and_says_what_is_none(labelled):
    pipe = Pipeline.from_pretrained(labelled.model_folder, "cpu")
    assert pipe.text_encoder.config.num_hidden_layers == 0 and find_clip(labelled.model_folder) is None
    first, second = (np.asarray(pipe(text, num_inference_steps=2)[0]) for text in ("a cat", "a traffic light"))
    assert first.shape == (16, 16, 3) and (first != second).any()
    with pytest.warns(UserWarning, match="'a dog' is none of the classes that this model has learned: a cat, "):
        pipe("a cat", negative_prompt="a dog", num_inference_steps=1)


def test_a_run_goes_on_from_a_model_of_classes(tmp_path, wanted, labelled):
    run = Run(tmp_path / "more", wanted, threads=1, start=labelled.model_folder)
    assert {progress.stage for progress in run.train(["autoencoder", "latents"])} == {"images", "latents"}
    before = load_pipeline(labelled.model_folder)
    stage = run.trainer("diffusion").stage
    assert_array_equal(stage.text_encoder.embeddings.token_embedding.weight.value,
                       before.text_encoder.embeddings.token_embedding.weight.value)
    assert [progress.step for progress in run.train()] == [6]
    assert load_pipeline(run.model_folder).tokenizer.classes == before.tokenizer.classes
    factors = replace(wanted, lora=presets.LoRASettings(rank=2), train_lora=STAGE)
    assert list(LoRARun(tmp_path / "lora", factors, threads=1, start=labelled.model_folder).train())[-1].step == 6


def test_what_class_labels_cannot_do_is_one_clear_line(tmp_path, wanted, labelled, finished):
    for settings, start, message in (
            (WANTED, None, "scenes, the built-in ones or of emoji, have too many"),
            (replace(wanted, text=replace(TEXT, max_length=2)), None, "text.max_length 2: with class labels"),
            (replace(wanted, data=replace(wanted.data, shuffle_tags=True)), None, "data.shuffle_tags"),
            (replace(wanted, text=replace(TEXT, class_labels=False)), labelled.model_folder, "class labels are those"),
            (wanted, finished.model_folder, "class labels are those of a new model")):
        with pytest.raises(UserError, match=message):
            Run(tmp_path / "run", settings, start=start)
    for use in (lambda: list(labelled.train(["contrastive"])), lambda: labelled.lengthen("contrastive", 9)):
        with pytest.raises(UserError, match="'contrastive': use some of tokenizer, autoencoder, latents, diffusion"):
            use()
    with pytest.raises(UserError, match="1001 different captions are too many"):
        class_tokenizer(map(str, range(1001)))
    with pytest.raises(UserError, match="1 captions are none of the 3 classes of it, such as 'a dog'"):
        check_known({"a dog", "a cat"}, labelled.tokenizer(), "it")

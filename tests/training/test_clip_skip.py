"""A UNet that reads the contrastive model's text encoder without its last layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from numpy.testing import assert_allclose
from tiny_training import SETTINGS, assert_stopping_changes_nothing, same_parameters

from minidiff.errors import UserError
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import load_clip, load_pipeline
from minidiff.training.run import Run
from minidiff.training.start import settings_of

SKIPPING = replace(SETTINGS, text=replace(SETTINGS.text, num_hidden_layers=2),
                   diffusion=replace(SETTINGS.diffusion, clip_skip=1))


@pytest.fixture(scope="module")
def skipping(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("skipping") / "run", SKIPPING, threads=1)
    list(run.train())
    return run


def test_the_text_encoder_of_its_model_is_the_contrastive_one_without_the_last_layer(skipping):
    parts, clip = load_pipeline(skipping.model_folder), load_clip(skipping.model_folder)
    assert parts.text_encoder.config.num_hidden_layers == 1 and clip.config.text_config.num_hidden_layers == 2
    same_parameters(parts.text_encoder, clip.text_model.without_last(1))
    pipe, ids = Pipeline(**vars(parts)), parts.tokenizer(["a red heart"])
    text = next(pipe.stream("a red heart", num_inference_steps=1))
    assert_allclose(text.value[1], clip.text_model.without_last(1)(ids)[0], rtol=1e-4, atol=1e-5)


def test_stopping_it_changes_nothing(tmp_path, skipping, monkeypatch):
    assert_stopping_changes_nothing(skipping, tmp_path / "run", monkeypatch)


def test_a_run_from_its_model_reads_text_as_it_does(tmp_path, skipping):
    parts, clip = load_pipeline(skipping.model_folder), load_clip(skipping.model_folder)
    got = settings_of(parts, clip, SETTINGS)
    assert got.diffusion.clip_skip == 1 and got.text.num_hidden_layers == 2
    run = Run(tmp_path / "more", SKIPPING, threads=1, start=skipping.model_folder)
    list(run.train())
    same_parameters(load_pipeline(run.model_folder).text_encoder, parts.text_encoder)
    with pytest.raises(UserError, match="text: a run with num_hidden_layers = 2 cannot start from a model with 1"):
        Run(tmp_path / "other", replace(SKIPPING, diffusion=replace(SKIPPING.diffusion, clip_skip=0)),
            start=skipping.model_folder)


def test_it_can_be_trained_along_while_the_contrastive_model_stays(tmp_path):
    settings = replace(SKIPPING, diffusion=replace(SKIPPING.diffusion, train_text_encoder=True))
    run = Run(tmp_path / "run", settings, threads=1)
    list(run.train())
    parts, clip = load_pipeline(run.model_folder), load_clip(run.model_folder)
    before = clip.text_model.without_last(1)
    for (name, a), b in zip(parts.text_encoder.named_parameters(), before.parameters(), strict=True):
        assert (a.value != b.value).any() or "k_proj.bias" in name  # which adds the same to all scores of a query


def test_more_layers_than_there_are_cannot_be_left_out(tmp_path):
    with pytest.raises(UserError, match=r"diffusion.clip_skip 3 .* at most text.num_hidden_layers, 2"):
        Run(tmp_path / "run", replace(SKIPPING, diffusion=replace(SKIPPING.diffusion, clip_skip=3)))
    assert not list(tmp_path.iterdir())

"""What all stages have in common, and the contrastive one's temperature."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from numpy.testing import assert_allclose
from tiny_training import SETTINGS, STAGE, stages

from minidiff.errors import UserError
from minidiff.training import loop
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.flat import Flat
from minidiff.training.workers import Workers


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_a_batch_is_a_function_of_its_number(finished, which):
    def loss(index):
        stage = stages(finished)[which]
        flat = Flat([p for model in stage.models for p in model.parameters()])
        return float(stage.step(Workers(stage, flat, 1), 1.0, *stage.draw(index))["loss"])

    assert loss(2) == loss(2)
    assert loss(2) != loss(3)


def test_each_stage_learns(tmp_path, finished):
    for stage in stages(finished):
        settings = replace(STAGE, steps=60, learning_rate=3e-3, warmup=5)
        seen = [p.losses["loss"] for p in loop.Trainer(stage, settings, tmp_path / stage.name, 1).train()]
        assert seen[-1] < 0.93 * seen[0], stage.name


def test_more_ranks_than_different_captions_are_an_error_that_says_so(finished):
    stage = ContrastiveTraining(SETTINGS, finished.tokenizer())
    workers = Workers(stage, Flat(stage.model.parameters()), 1)
    workers.ranks = SimpleNamespace(size=4)
    ids, images = stage.draw(0)
    with pytest.raises(UserError, match="has 3: start at most as many processes"):
        stage.step(workers, 1.0, ids[:3], images[:3])


def test_the_temperature_stays_within_its_published_bound(finished):
    stage = ContrastiveTraining(SETTINGS, finished.tokenizer())
    flat = Flat(stage.model.parameters())
    stage.model.logit_scale.value[...] = 7.0
    stage.step(Workers(stage, flat, 1), 1.0, *stage.draw(0))
    assert_allclose(stage.model.logit_scale.value, math.log(100), rtol=1e-6, atol=0)

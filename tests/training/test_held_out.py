"""Held-out losses: what they are, and that training does not notice them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from memory_source import MemorySource
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, everything, stages, stopped_and_resumed

from minidiff.data.scene_source import SceneSource
from minidiff.tokenizer import Tokenizer
from minidiff.training import held_out, loop
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining, Latents, denoising_loss
from minidiff.training.held_out import BANDS, band_of, held_out_losses, sample_count
from minidiff.training.run import Run

NAMES = {"held_out", *(f"held_out.{band}" for band in BANDS)}


def readings(folder):
    """(stage, step) -> the held-out losses in the metrics of a run."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = {(one["stage"], one["step"]): {k: v for k, v in one.items() if k in NAMES} for one in records}
    return {key: losses for key, losses in found.items() if losses}


def losses_of(finished, which, source=None):
    """A stage of the finished run, as new, and its held-out losses."""
    stage = stages(finished)[which]
    return stage, held_out_losses(stage, source or finished.source, lambda: finished.finished("autoencoder").model)


@pytest.mark.parametrize("threads", [1, 2])
def test_training_has_the_same_bits_with_held_out_losses_and_without(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "HELD_OUT_EVERY", 2)
    with_them = Run(tmp_path / "with", SETTINGS, threads=threads)
    list(with_them.train())
    assert [*readings(with_them.folder)] == [(stage, step) for stage in ("autoencoder", "contrastive", "diffusion")
                                             for step in (2, 4, 6)]
    monkeypatch.setattr("minidiff.training.run.held_out_losses", lambda *_: dict)
    without = Run(tmp_path / "without", SETTINGS, threads=threads)
    list(without.train())
    assert readings(without.folder) == {}
    for name, array in everything(without).items():
        assert_array_equal(everything(with_them)[name], array, err_msg=name)


def test_a_resumed_run_reads_the_same_losses(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "HELD_OUT_EVERY", 1)
    stopped_and_resumed(tmp_path / "stopped", SETTINGS, monkeypatch)
    run = Run(tmp_path / "run", SETTINGS, threads=1)
    list(run.train())
    expected = readings(run.folder)
    assert len(expected) == 18
    assert readings(tmp_path / "stopped") == expected


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_a_reading_is_the_same_again_and_follows_the_parameters(finished, which):
    stage, losses = losses_of(finished, which)
    first = losses()
    assert first.keys() == (NAMES if stage.name == "diffusion" else {"held_out"})
    assert losses() == first == losses_of(finished, which)[1]()
    for parameter in stage.models[0].parameters():
        parameter.value = parameter.value + np.float32(0.05)
    assert losses()["held_out"] != first["held_out"]


def test_the_autoencoders_is_the_training_loss_of_held_out_images(finished, monkeypatch):
    seen = []
    monkeypatch.setattr(held_out, "reconstruction_loss", lambda model, images, noise, settings: (
        seen.extend(images) or {"loss": images.mean()}, None))
    _, losses = losses_of(finished, 0)
    expected = finished.source.held_out(64).images
    assert_allclose(losses()["held_out"], expected.mean(), rtol=1e-5, atol=1e-7)
    assert_array_equal(seen, expected)


def test_the_contrastive_one_compares_as_many_pairs_as_a_batch_has(finished):
    stage, losses = losses_of(finished, 1)
    pairs = finished.source.held_out(8)
    expected, _ = stage.model(finished.tokenizer()(pairs.captions), pairs.images)
    assert_allclose(losses()["held_out"], expected, rtol=1e-5, atol=0)
    assert 0.5 * math.log(8) < losses()["held_out"] < 2 * math.log(8)  # by chance


def test_the_contrastive_one_has_no_caption_twice(finished):
    source = MemorySource(held_out_count=32)
    pairs = source.held_out(32)
    rows = [pairs.captions.index(caption) for caption in dict.fromkeys(pairs.captions)]
    stage, losses = losses_of(finished, 1, source)
    expected, _ = stage.model(finished.tokenizer()([pairs.captions[row] for row in rows]), pairs.images[rows])
    assert 1 < len(rows) <= 8
    assert_allclose(losses()["held_out"], expected, rtol=1e-5, atol=0)
    source.texts = ["A cat", "a  cat"] * 36
    assert losses_of(finished, 1, source)[1]() == {}


def test_the_diffusion_loss_estimates_that_of_training(finished, monkeypatch):
    """On the images that are trained on, so that both are losses of the same images."""
    class Same(SceneSource):
        def held_out(self, count):
            return self.latent_batch(0, 32)

    monkeypatch.setattr(held_out, "SAMPLES", 2048)
    stage, losses = losses_of(finished, 2, Same(SETTINGS.size, SETTINGS.seed, 40))
    latents = Latents(stage.latents[0].mean[:32], stage.latents[0].ids[:32])
    rng = np.random.default_rng(0)
    rows, noise = rng.integers(32, size=4096), rng.standard_normal((4096, *latents.mean.shape[1:]), np.float32)
    question = stage.question(latents.mean[rows], noise, stage.draw_times(rng, 4096),
                              stage.drop_captions(rng, latents.ids[rows]))
    expected = denoising_loss(stage.unet, stage.read_text, *question)[0]["loss"]
    assert_allclose(losses()["held_out"], expected, rtol=0.05, atol=0)


def test_a_band_holds_the_noise_levels_of_its_name():
    alpha, sigma = np.array([1, 0.9, 0.8, 0.5, 0.5, 0.1, 0.1, 0]), np.array([0, 0.44, 0.41, 0.5, 1, 0.7, 0.8, 1])
    assert_array_equal(band_of(alpha, sigma), [0, 0, 1, 1, 2, 2, 3, 3])


def test_a_perfect_network_has_no_error_in_any_band(finished, monkeypatch):
    stage, losses = losses_of(finished, 2)
    answers = []
    question = DiffusionTraining.question
    monkeypatch.setattr(DiffusionTraining, "question", lambda *args: (
        answers.append(found := question(*args)) or found))

    def perfect(x, timesteps, context):
        [everything] = answers
        first = next(index for index in range(len(everything[0])) if (everything[0][index] == x[0]).all())
        return everything[3][first:first + len(x)], None

    stage.unet = perfect
    assert losses() == dict.fromkeys(NAMES, 0.0)


@pytest.mark.parametrize(("count", "ratio"), [(6, 6.0), (1000, 1.0)], ids=["six images", "a thousand"])
def test_learning_by_heart_is_told_from_learning(tmp_path, count, ratio):
    source = MemorySource(16, count, 64)
    stage = ContrastiveTraining(SETTINGS, Tokenizer.train(source.captions(), 600, 16), source=source)
    settings = replace(SETTINGS.train_contrastive, steps=100)
    *_, last = loop.Trainer(stage, settings, tmp_path, 1, held_out_losses(stage, source, None)).train()
    assert_allclose(last.losses["held_out"] / last.losses["loss"], ratio, rtol=0.3, atol=0)


def test_without_held_out_images_nothing_is_computed(finished):
    for which in range(3):
        assert losses_of(finished, which, MemorySource(held_out_count=0))[1]() == {}
    assert losses_of(finished, 1, MemorySource(held_out_count=1))[1]() == {}


def test_a_source_of_a_few_images_is_enough(finished):
    for which in range(3):
        found = losses_of(finished, which, MemorySource(held_out_count=3))[1]()
        assert "held_out" in found and all(np.isfinite(value) for value in found.values())


def test_a_reading_takes_less_than_2_percent_of_the_steps_between_two():
    for batch_size in (1, 2, 4, 8, 64):
        step = 3 * max(min(4, batch_size), batch_size / (batch_size // 4 or 1))  # the forward passes of one worker
        settings = replace(SETTINGS.train_autoencoder, batch_size=batch_size)
        assert 0 < sample_count(settings) <= 0.02 * loop.HELD_OUT_EVERY * step
    assert loop.HELD_OUT_EVERY % loop.LOOK_EVERY == 0

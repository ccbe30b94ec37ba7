"""Alignment of the UNet with the image encoder: what is compared with what, its gradient, its runs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, assert_stopping_changes_nothing
from whole_model import (
    assert_every_parameter_has_a_gradient,
    assert_gradients_are_central_differences,
    in_double,
)

from minidiff.backend import gpu_available, to_host, without_graphs
from minidiff.errors import UserError
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.module import Module
from minidiff.training.alignment import Projector, aligned_level, aligned_loss, aligns
from minidiff.training.diffusion import DiffusionTraining, denoising_loss, unet_config
from minidiff.training.flat import Flat
from minidiff.training.latents import read_latents, write_latents
from minidiff.training.loop import Trainer
from minidiff.training.run import Run
from minidiff.training.workers import Workers

ALIGNED = replace(SETTINGS, image=replace(SETTINGS.image, patch_size=4),  # 4 x 4 patches: the UNet's second level
                  diffusion=replace(SETTINGS.diffusion, alignment=0.5, alignment_steps=4))


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("aligned") / "run", ALIGNED, threads=1)
    for _ in run.train():
        pass
    return run


@pytest.fixture
def rng():
    return np.random.default_rng(5)


class Both(Module):
    """Both that learn."""

    def __init__(self, rng):
        self.unet = UNet2DConditionModel(rng, unet_config(SETTINGS, 6))
        self.projector = Projector(rng, 16, 5)


def losses_of(both, rng, weight):
    """The weighted sum of both losses as a function of all parameters, and the denoising loss alone."""
    x, t, context = rng.standard_normal((2, 8, 8, 12)), np.array([3.0, 500.0]), rng.standard_normal((2, 5, 6))
    question = x, t, None, rng.standard_normal(x.shape), np.array([0.5, 2.0])
    states = rng.standard_normal((2, 16, 5))

    def text_encoder(ids):
        return context, lambda dcontext: None

    def whole():
        losses, back = aligned_loss(both.unet, 1, both.projector, weight, text_encoder, question, states)
        return losses["loss"] + weight * losses["alignment"], lambda dloss: (back(dloss), ())[1]

    def plain():
        return denoising_loss(both.unet, text_encoder, *question)[0]["loss"]

    return whole, plain


def test_gradients_of_the_aligned_loss(rng):
    both = in_double(Both(rng), rng)
    whole, plain = losses_of(both, rng, 0.7)
    assert 0.1 < float(whole()[0]) - float(plain()) < 1.4
    assert_gradients_are_central_differences(both, whole, (), rng)
    assert_every_parameter_has_a_gradient(both.projector)


def test_a_weight_of_zero_leaves_the_denoising_loss(rng):
    whole, plain = losses_of(in_double(Both(rng), rng), rng, 0.0)
    assert_allclose(whole()[0], plain(), rtol=1e-12, atol=0)


def test_states_are_those_of_the_images_in_a_batch(aligned):
    stage, vision = aligned.trainer("diffusion").stage, aligned.finished("contrastive").model.vision_model
    [latents] = stage.latents
    expected = vision.patches(aligned.source.latent_batch(0, 32).images)
    assert_allclose(latents.states[:32], expected, rtol=1e-2, atol=1e-2)
    assert_allclose(stage.mean_state, latents.states.mean(axis=(0, 1), dtype=np.float64), rtol=1e-6, atol=1e-6)
    x, t, *_, states = stage.draw(3)
    alpha, sigma = (side.reshape(-1, 1, 1, 1) for side in stage.schedule.at(t))
    rows = [np.abs(latents.states - stage.mean_state - one).sum(axis=(1, 2)).argmin() for one in states]
    noise = (x - alpha * stage.scaling_factor * latents.mean[rows]) / sigma
    assert states.shape == (8, 16, 8) and abs(noise.std() - 1) < 0.1


def test_places_of_the_feature_map_are_in_the_order_of_patches(aligned):
    vision = aligned.finished("contrastive").model.vision_model
    image = np.zeros((1, 16, 16, 3), np.float32)
    image[:, 4:8, 8:12] = 1
    [moved] = np.abs(vision.patches(image) - vision.patches(np.zeros_like(image))).sum(axis=-1)
    [seen], _ = Projector(np.random.default_rng(0), 3, 2)(image[:, ::4, ::4])
    assert moved.argmax() == np.abs(seen - seen[0]).sum(axis=-1).argmax() == 6


def test_the_model_has_nothing_of_it(aligned, finished):
    assert [name for name, _ in aligned.parts().unet.named_parameters()] == [
        name for name, _ in finished.parts().unet.named_parameters()]


def test_alignment_ends_after_its_steps(aligned):
    stage = aligned.trainer("diffusion").stage
    assert [len(stage.draw(index)) for index in range(6)] == [6, 6, 6, 6, 5, 5]
    twice = replace(ALIGNED, train_diffusion=replace(ALIGNED.train_diffusion, accumulation=2))
    stage = DiffusionTraining(twice, aligned.tokenizer(), stage.text_encoder, aligned.latents())
    assert len(stage.draw(7)) == 6 and len(stage.draw(8)) == 5


def test_workers_add_up_the_gradient_of_one(aligned):
    gradients = []
    for count in (1, 2):
        stage = aligned._new_stage("diffusion")
        flat = Flat([p for model in stage.models for p in model.parameters()])
        workers = Workers(stage, flat, count)
        try:
            workers.clear()
            losses = stage.step(workers, 1.0, *workers.draw(0))
            assert losses.keys() == {"loss", "alignment"}
            workers.add_gradients()
            gradients.append(flat.grad.copy())
        finally:
            workers.close()
    assert_allclose(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not gpu_available(), reason="needs CuPy and an NVIDIA GPU"))])
def test_recorded_steps_are_those_call_by_call(aligned, tmp_path, device):
    """Two recordings: of steps that align, and of those after them."""
    found = []
    for recorded in (True, False):
        stage = DiffusionTraining(ALIGNED, aligned.tokenizer(), aligned._text_encoder(), aligned.latents(), device)
        trainer = Trainer(stage, ALIGNED.train_diffusion, tmp_path / str(recorded), 1)
        with nullcontext() if recorded else without_graphs():
            for _ in trainer.train():
                pass
        found.append(to_host(trainer.flat.value))
    assert_allclose(found[0], found[1], rtol=0, atol=1e-4 * np.abs(found[1]).max())


def test_a_stopped_run_ends_with_the_same_bits(aligned, tmp_path, monkeypatch):
    assert_stopping_changes_nothing(aligned, tmp_path / "stopped", monkeypatch)


def test_latents_are_the_same_with_and_without_states(aligned, tmp_path):
    path, autoencoder = tmp_path / "latents.safetensors", aligned.finished("autoencoder").model
    for _ in write_latents(path, aligned.source, aligned.tokenizer(), autoencoder, "cpu", 1):
        pass
    [plain], [latents] = read_latents(path), aligned.latents()
    assert plain.states is None and latents.states.shape == (40, 16, 8)
    assert_array_equal(plain.mean, latents.mean)


def test_latents_without_states_are_refused(aligned):
    stage = aligned.trainer("diffusion").stage
    plain = [replace(part, states=None) for part in aligned.latents()]
    with pytest.raises(UserError, match=r"no states of the image encoder: set diffusion\.alignment back to 0"):
        DiffusionTraining(ALIGNED, aligned.tokenizer(), stage.text_encoder, plain)


def test_an_image_encoder_whose_states_are_kept_learns_no_longer(aligned, tmp_path):
    run = Run(tmp_path / "run", ALIGNED, threads=1)
    for _ in run.train(["tokenizer", "autoencoder", "contrastive", "latents"]):
        pass
    with pytest.raises(UserError, match=r"latents\.safetensors was made with the contrastive stage as it is"):
        run.lengthen("contrastive", 9)


@pytest.mark.parametrize("patch, level", [(2, 0), (4, 1), (8, None)])
def test_the_level_has_a_place_for_each_patch(patch, level):
    settings = replace(ALIGNED, image=replace(ALIGNED.image, patch_size=patch))
    assert aligns(settings) == (level is not None)
    assert level is None or aligned_level(settings) == level


def test_images_in_buckets_class_labels_and_factors_are_not_aligned():
    assert aligns(ALIGNED) and not aligns(SETTINGS)
    assert not aligns(replace(ALIGNED, data=replace(ALIGNED.data, buckets=True)))
    assert not aligns(replace(ALIGNED, text=replace(ALIGNED.text, class_labels=True)))
    assert not aligns(replace(ALIGNED, lora=replace(ALIGNED.lora, rank=2)))

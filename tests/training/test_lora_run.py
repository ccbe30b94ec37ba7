"""Runs that adapt a model by low-rank factors: what learns, what stays, what is written, and how they resume."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from relative import relative
from tiny_training import SETTINGS, STAGE, same_parameters

from minidiff.errors import UserError
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import load_pipeline, save_pipeline
from minidiff.storage.tensors import map_tensors
from minidiff.training import loop
from minidiff.training.diffusion import scaling_factor
from minidiff.training.flat import Flat
from minidiff.training.lora import LoRARun, lora_training, resume
from minidiff.training.presets import LoRASettings
from minidiff.training.run import Run
from minidiff.training.workers import Workers

OWN = replace(SETTINGS, lora=LoRASettings(rank=2), train_lora=replace(STAGE, learning_rate=0.02, optimizer="adamw"))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, finished):
    """A run with factors for the tiny model, trained to its end."""
    run = LoRARun(tmp_path_factory.mktemp("lora") / "run", OWN, threads=1, start=finished.model_folder)
    list(run.train())
    return run


def test_only_the_factors_learn(tuned, finished):
    before, after = load_pipeline(finished.model_folder), tuned.parts()
    same_parameters(after.vae, before.vae)
    same_parameters(after.text_encoder, before.text_encoder)
    own = dict(after.unet.named_parameters())
    for name, parameter in before.unet.named_parameters():
        assert_array_equal(own.pop(name).value, parameter.value)
    assert len(own) == len(tuned.trainer("lora").flat.parameters) == 4 * 8 * 2  # attention in two blocks and the middle
    assert all(np.any(p.value) for name, p in own.items() if "lora_B" in name)


def test_the_written_file_makes_the_model_draw_what_it_draws_with_the_factors(tuned, finished):
    merged = Pipeline.from_pretrained(finished.model_folder, "cpu")
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 12), np.float32)
    context, _ = merged.text_encoder(merged.tokenizer(["a red heart", "a green star"]))

    def answer(unet):
        return unet(x, np.float32([900, 300]), context)[0]

    plain = answer(merged.unet)
    merged.load_lora(tuned.lora_file)
    with tuned.trainer("lora").averaged():
        own = Pipeline(**vars(tuned.parts()))
        assert relative(answer(merged.unet), answer(own.unet)) < 1e-5
        assert relative(answer(own.unet), plain) > 1e-3
        images, expected = (np.stack(pipe(["a red heart"], num_inference_steps=3)) for pipe in (merged, own))
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_a_stopped_run_resumes_bit_for_bit(tuned, tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    run = LoRARun(tmp_path / "run", OWN, threads=1, start=finished.model_folder)
    next(progress for progress in run.train() if progress.stage == "lora" and progress.step == 3)
    run = resume(run.folder, threads=1)
    assert isinstance(run, LoRARun) and run.trainer("lora").step < 6
    assert {progress.stage for progress in run.train()} == {"lora"}
    whole, resumed = (map_tensors(one.lora_file)[0] for one in (tuned, run))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert_array_equal(resumed[name], value)
    assert isinstance(resume(finished.folder), Run)


def test_a_run_goes_on_with_the_model_that_it_began_to_adapt_and_no_other(tmp_path, finished):
    model = tmp_path / "model"
    shutil.copytree(finished.model_folder, model)
    run = LoRARun(tmp_path / "run", OWN, threads=1, start=model)
    resume(run.folder)
    parts = load_pipeline(model)
    parts.unet.parameters()[0].value += np.float32(1)
    save_pipeline(parts, tmp_path / "other")
    model.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"run adapts a model that cannot be opened: unknown model .* put it back, or"):
        resume(run.folder)
    (tmp_path / "other").rename(model)
    with pytest.raises(UserError, match=r"model has another UNet than when .*run began to adapt it: put that one back"):
        resume(run.folder)
    settings = json.loads((run.folder / "settings.json").read_text())
    del settings["unet_sha256"]  # as older versions wrote it
    (run.folder / "settings.json").write_text(json.dumps(settings))
    resume(run.folder)


def test_a_longer_run_starts_where_the_shorter_one_ended(tmp_path, finished):
    run = LoRARun(tmp_path / "run", OWN, threads=1, start=finished.model_folder)
    list(run.train())
    run.lengthen("lora", 8)
    assert [progress.step for progress in resume(run.folder, threads=1).train()] == [8]
    with pytest.raises(UserError, match="the lora stage is at step 6: give it more than 6"):
        run.lengthen("lora", 6)


def test_the_model_says_how_its_latents_are_scaled_and_what_its_noise_is(tmp_path, finished):
    parts = load_pipeline(finished.model_folder)
    parts.vae.config = replace(parts.vae.config, scaling_factor=0.3)
    parts.scheduler = parts.scheduler | {"beta_end": 0.03}
    save_pipeline(parts, tmp_path / "model")  # without a contrastive model, like those of others
    run = LoRARun(tmp_path / "run", OWN, threads=1, start=tmp_path / "model")
    list(run.train(["latents"]))
    stage = run.trainer("lora").stage
    assert stage.scaling_factor == 0.3 != scaling_factor(stage.latents)
    assert stage.schedule.beta_end == 0.03 and run.parts().vae.config.scaling_factor == 0.3


def test_factors_learn_what_the_model_did_not_know(finished, tmp_path):
    latents = [replace(one, mean=-one.mean) for one in finished.latents()]
    stage = lora_training(OWN, load_pipeline(finished.model_folder), latents)
    trainer = loop.Trainer(stage, replace(OWN.train_lora, steps=200), tmp_path, threads=1)

    def loss():
        return np.mean([stage.step(trainer.workers(), 1.0, *stage.draw(index))["loss"] for index in range(1000, 1010)])

    before = loss()
    list(trainer.train())
    assert loss() < 0.8 * before


def test_workers_together_compute_the_gradient_of_one(finished):
    def gradient(count):
        stage = lora_training(OWN, load_pipeline(finished.model_folder), finished.latents())
        flat = Flat(stage.models[0].parameters())
        workers = Workers(stage, flat, count)
        workers.clear()
        stage.step(workers, 1.0, *stage.draw(3))
        workers.add_gradients()
        workers.close()
        return flat.grad

    alone = gradient(1)
    assert np.linalg.norm(alone) > 1e-4
    assert relative(gradient(3), alone) < 1e-5


def test_what_a_run_cannot_start_with_is_one_clear_line(tuned, tmp_path, finished):
    model = finished.model_folder
    for folder, settings, start, words in (
            (tmp_path, OWN, tmp_path / "none", "unknown model"), (tuned.folder, OWN, model, "--resume"),
            (tmp_path, SETTINGS, model, "lora.rank 0: use a whole number of at least 1"),
            (tmp_path, replace(OWN, train_lora=replace(STAGE, optimizer="sgd")), model, "unknown optimizer 'sgd'")):
        with pytest.raises(UserError, match=words):
            LoRARun(folder, settings, start=start)
    assert not any(tmp_path.iterdir())
    with pytest.raises(UserError, match="unknown stage 'diffusion': with --lora, use some of latents, lora"):
        list(tuned.train(["diffusion"]))
    with pytest.raises(UserError, match="trains a LoRA, it has no diffusion stage"):
        tuned.lengthen("diffusion", 9)

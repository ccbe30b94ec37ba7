"""Folders written here open in diffusers and transformers with no argument but the path, and give the same images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from tiny_pipeline import FLOW, SIDE, STABLE_DIFFUSION, tiny_pipeline
from transformers import CLIPModel

from minidiff import models
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.diffusion.schedules import Schedule
from minidiff.models.configs import CLIPConfig, TextConfig, VisionConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.pipeline import Pipeline
from minidiff.storage.pipeline_folder import load_clip, shipped_models
from minidiff.training.class_labels import class_tokenizer

from .compare import VALUES, channels_first

V = to_config(Scheduler("ddim", prediction_type="v_prediction"))
ZERO_SNR = to_config(Scheduler("dpm++", Schedule(rescale_betas_zero_snr=True), "v_prediction", "trailing"))
PROMPTS = ["a red heart above a blue square", "a green star"]


def images_of_both(folder, latents, prompts=PROMPTS, **options):
    """The images (N, H, W, 3) in [-1, 1], each of the two from the folder and the same latents."""
    ours = [moment.value for moment in Pipeline.from_pretrained(folder).stream(prompts, latents=latents, **options)
            if moment.name == "images"]
    theirs = StableDiffusionPipeline.from_pretrained(folder)
    theirs.set_progress_bar_config(disable=True)
    expected = theirs(prompts, latents=torch.tensor(channels_first(latents)), output_type="np", **options).images
    return np.concatenate(ours), 2 * expected - 1


@pytest.mark.parametrize("scheduler", [STABLE_DIFFUSION, FLOW, V, ZERO_SNR], ids=["pndm", "flow", "ddim, v", "zero"])
def test_the_same_latents_give_the_same_image(scheduler, tmp_path, agree):
    tiny_pipeline(scheduler).save_pretrained(tmp_path / "model")
    latents = np.random.default_rng(0).standard_normal((2, SIDE // 2, SIDE // 2, 4)).astype(np.float32)
    ours, theirs = images_of_both(tmp_path / "model", latents, num_inference_steps=5, guidance_scale=3.0)
    assert theirs.std() > 0.01
    agree("images of a small model", ours, theirs, VALUES["float32"])


def test_a_model_of_classes_draws_the_same(tmp_path, agree):
    pipeline, classes = tiny_pipeline(), ["a cat", "a traffic light"]
    pipeline.tokenizer = class_tokenizer(classes)
    pipeline.text_encoder = CLIPTextModel(np.random.default_rng(1), TextConfig(
        vocab_size=len(pipeline.tokenizer), hidden_size=8, intermediate_size=16, num_hidden_layers=0,
        num_attention_heads=2, max_position_embeddings=3, eos_token_id=pipeline.tokenizer.end_id))
    pipeline.save_pretrained(tmp_path / "model")
    latents = np.random.default_rng(0).standard_normal((2, SIDE // 2, SIDE // 2, 4)).astype(np.float32)
    ours, theirs = images_of_both(tmp_path / "model", latents, classes, num_inference_steps=5, guidance_scale=3.0)
    assert np.abs(theirs[0] - theirs[1]).mean() > 0.01
    agree("images of a model of classes", ours, theirs, VALUES["float32"])


@pytest.mark.parametrize("form", [{"max_shard_size": "20KB"}, {"variant": "fp16"}, {"variant": "non_ema"},
                                  {"variant": "bf16", "max_shard_size": "20KB"}], ids=str)
def test_sharded_weights_and_variants_that_diffusers_writes_are_opened(form, tmp_path, agree):
    tiny_pipeline(STABLE_DIFFUSION).save_pretrained(tmp_path / "model", dtype="float32")
    theirs = StableDiffusionPipeline.from_pretrained(tmp_path / "model")
    theirs.save_pretrained(tmp_path / "form", **form)
    assert not list((tmp_path / "form" / "unet").glob("diffusion_pytorch_model.safetensors"))
    whole, ours = (Pipeline.from_pretrained(tmp_path / name, "cpu") for name in ("model", "form"))
    latents = np.random.default_rng(0).standard_normal((1, SIDE // 2, SIDE // 2, 4)).astype(np.float32)
    theirs = StableDiffusionPipeline.from_pretrained(tmp_path / "form", variant=form.get("variant"))
    theirs.set_progress_bar_config(disable=True)
    expected = theirs("a green star", latents=torch.tensor(channels_first(latents)), output_type="np",
                      num_inference_steps=3, guidance_scale=3.0).images
    [*_, last] = ours.stream("a green star", latents=latents, num_inference_steps=3, guidance_scale=3.0)
    agree("images of sharded weights and variants", last.value, 2 * expected - 1, VALUES["float32"])
    for (name, mine), (_, plain) in zip(ours.unet.named_parameters(), whole.unet.named_parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, plain.value, err_msg=name)


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_draws_the_same_in_diffusers(name, agree):
    pipeline = Pipeline.from_pretrained(name)
    side = pipeline.unet.config.sample_size
    shape = (2, side, side, pipeline.unet.config.in_channels)
    latents = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    ours, theirs = images_of_both(shipped_models()[name], latents, num_inference_steps=10, guidance_scale=3.0)
    agree(f"images of {name}", ours, theirs, VALUES["float32"])


def test_the_contrastive_model_opens_as_clip(tmp_path, agree):
    towers = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    clip = models.clip.CLIPModel(np.random.default_rng(0), CLIPConfig(
        TextConfig(vocab_size=50, eos_token_id=49, **towers), VisionConfig(image_size=8, patch_size=4, **towers), 12))
    tiny_pipeline().save_pretrained(tmp_path / "model", clip, dtype="float32")
    theirs, ours = CLIPModel.from_pretrained(tmp_path / "model" / "clip"), load_clip(tmp_path / "model")
    ids = np.array([[48, 3, 49, 0], [48, 5, 6, 49]])
    images = np.random.default_rng(1).standard_normal((2, 8, 8, 3)).astype(np.float32)
    expected = theirs(torch.tensor(ids), torch.tensor(channels_first(images)), return_loss=True)
    agree("loss of a saved CLIP", ours(ids, images)[0], expected.loss.detach(), VALUES["float32"])

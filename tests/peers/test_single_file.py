"""Single files in the original layout: diffusers reads out of them the models that we read."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch
from ldm_layout import tiny_stable_diffusion, write_single_file

from minidiff.pipeline import Pipeline
from minidiff.storage.folders import from_file
from minidiff.tokenizer import Tokenizer

from .compare import VALUES, channels_first, channels_last


@pytest.fixture(scope="module", params=[1, 2], ids=["version 1", "version 2"])
def both(request, tmp_path_factory):
    """What we read and what diffusers reads; the configuration it is given is the one we saw in the file."""
    folder = tmp_path_factory.mktemp("downloads")
    pipe = tiny_stable_diffusion(request.param)
    write_single_file(pipe, request.param, folder / "model.safetensors")
    Tokenizer(pipe.tokenizer.merges).save_pretrained(folder / "tokenizer")
    ours = Pipeline.from_pretrained(folder / "model.safetensors", "cpu", prediction_type="epsilon")
    ours.save_pretrained(folder / "config", dtype="float32")
    for weights in (folder / "config").rglob("*.safetensors"):
        weights.unlink()
    theirs = diffusers.StableDiffusionPipeline.from_single_file(
        folder / "model.safetensors", config=str(folder / "config"), local_files_only=True)
    return ours, theirs


@pytest.mark.parametrize("name", ["unet", "vae", "text_encoder"])
def test_every_weight_is_the_same_bit_for_bit(both, name):
    ours, theirs = (getattr(pipe, name) for pipe in both)
    weights = {key.removeprefix("text_model."): value.numpy() for key, value in theirs.state_dict().items()
               if not key.endswith("position_ids")}
    parameters = dict(ours.named_parameters())
    assert weights.keys() == parameters.keys()
    for key, parameter in parameters.items():
        np.testing.assert_array_equal(parameter.value, from_file(weights[key]), err_msg=key)


def test_the_models_compute_the_same(both, agree):
    ours, theirs = both
    rng = np.random.default_rng(0)
    prompts = ["a red heart", "a green star!"]
    ids = ours.tokenizer(prompts)
    np.testing.assert_array_equal(ids, theirs.tokenizer(prompts, padding="max_length", truncation=True,
                                                        max_length=ids.shape[1]).input_ids)
    context, _ = ours.text_encoder(ids)
    latents = rng.standard_normal((2, 8, 12, 4)).astype(np.float32)
    images = rng.standard_normal((2, 8, 12, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs.text_encoder(torch.tensor(ids))[0]
        agree("text encoder of a single file", context, expected.numpy(), VALUES["float32"])
        expected = theirs.unet(torch.tensor(channels_first(latents)), 321, expected).sample
        noise, _ = ours.unet(latents, np.full(2, 321.0, np.float32), context)
        agree("UNet of a single file", noise, channels_last(expected), VALUES["float32"])
        expected = theirs.vae.decode(torch.tensor(channels_first(latents))).sample
        agree("decoder of a single file", ours.vae.decode(latents)[0], channels_last(expected), VALUES["float32"])
        expected = theirs.vae.encode(torch.tensor(channels_first(images))).latent_dist.mean
        agree("encoder of a single file", ours.vae.encode(images)[0][0], channels_last(expected), VALUES["float32"])

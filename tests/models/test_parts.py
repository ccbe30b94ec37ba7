"""Parts of different models are refused by what does not fit, before their weights are read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tiny_pipeline import tiny_pipeline

from minidiff.errors import UserError
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.models.parts import check_parts
from minidiff.storage.pipeline_folder import load_pipeline

FITTING = {"unet": UNetConfig(), "vae": AutoencoderConfig(), "text_encoder": TextConfig(), "tokens": 49408,
           "length": 77}


def test_the_parts_of_stable_diffusion_fit():
    check_parts(**FITTING)
    check_parts(**FITTING | {"tokens": 49000, "length": 20})
    check_parts(**FITTING | {"unet": replace(UNetConfig(), in_channels=9)})  # for inpainting


@pytest.mark.parametrize("other, message", [
    ({"unet": UNetConfig(cross_attention_dim=1024)}, "texts of width 1024, the text encoder's have 768"),
    ({"vae": AutoencoderConfig(latent_channels=16)}, "predicts 4 channels, the autoencoder's latents have 16"),
    ({"unet": replace(UNetConfig(), in_channels=8)}, "instruct-pix2pix"),
    ({"tokens": 49409}, "the tokenizer has 49409 tokens, the text encoder knows 49408"),
    ({"length": 78}, "78 tokens per text, the text encoder reads 77")])
def test_parts_that_do_not_fit_are_named(other, message):
    with pytest.raises(UserError, match=message):
        check_parts(**FITTING | other)


@pytest.mark.parametrize("name, field, value", [
    ("unet", "cross_attention_dim", 16), ("vae", "latent_channels", 8), ("text_encoder", "vocab_size", 300),
    ("text_encoder", "max_position_embeddings", 5)])
def test_a_folder_of_such_parts_is_refused_without_its_weights(tmp_path, name, field, value):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    for weights in tmp_path.rglob("*.safetensors"):
        weights.unlink()
    path = tmp_path / "model" / name / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(UserError, match="use parts of the same model"):
        load_pipeline(tmp_path / "model")

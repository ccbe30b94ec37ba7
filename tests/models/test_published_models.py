"""The models are those of Stable Diffusion and CLIP: their sizes, the names of their parameters, their epsilons."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.layers import GroupNorm, LayerNorm
from minidiff.nn.module import Module

# Parameters, tensors and the digest of all names and shapes of the classes of diffusers 0.42.1, transformers 5.23.0.
PUBLISHED = {
    "UNet of SD 1.5": (UNet2DConditionModel, UNetConfig(), 859_520_964, 686, "5159ace1d6e60acb"),
    "UNet of SD 2.1": (
        UNet2DConditionModel,
        UNetConfig(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True),
        865_910_724, 686, "61d626becb5b11d8"),
    "autoencoder": (AutoencoderKL, AutoencoderConfig(), 83_653_863, 248, "600696bc94ffc80f"),
    "text encoder of SD 1.5": (CLIPTextModel, TextConfig(), 123_060_480, 196, "0240ea74fae34c19"),
    "text encoder of SD 2.1": (
        CLIPTextModel,
        TextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16,
                   hidden_act="gelu"),
        340_387_840, 372, "b3fb33659b67fd51"),
    "CLIP ViT-B/32": (
        CLIPModel,
        CLIPConfig(text_config=TextConfig(hidden_size=512, intermediate_size=2048, num_attention_heads=8)),
        151_277_313, 398, "8bab39ee5933a281"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_model(name):
    build, config, count, tensors, digest = PUBLISHED[name]
    shapes = {key: p.value.shape for key, p in build(None, config).named_parameters()}
    shapes |= {key: (o, i, k, k) for key, (k, _, i, o) in ((k, s) for k, s in shapes.items() if len(s) == 4)}
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == count
    assert len(shapes) == tensors
    lines = "\n".join(sorted(f"{key} {shape}" for key, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("name, shape", [
    ("conv_in.weight", (3, 3, 4, 320)),
    ("time_embedding.linear_1.weight", (1280, 320)),
    ("down_blocks.0.attentions.0.proj_in.weight", (1, 1, 320, 320)),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", (320, 768)),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.weight", (320, 320)),
    ("down_blocks.1.attentions.1.transformer_blocks.0.ff.net.0.proj.weight", (5120, 640)),
    ("down_blocks.1.resnets.0.conv_shortcut.weight", (1, 1, 320, 640)),
    ("down_blocks.2.downsamplers.0.conv.bias", (1280,)),
    ("mid_block.resnets.1.time_emb_proj.weight", (1280, 1280)),
    ("up_blocks.1.resnets.2.conv1.weight", (3, 3, 1920, 1280)),
    ("up_blocks.3.attentions.2.transformer_blocks.0.ff.net.2.bias", (320,)),
    ("conv_norm_out.weight", (320,)),
])
def test_unet_names_are_those_of_the_checkpoint(name, shape):
    assert dict(UNet2DConditionModel(None, UNetConfig()).named_parameters())[name].value.shape == shape


def test_both_generations_of_the_unet_have_the_same_names():
    first, second = (dict(build(None, config).named_parameters()) for build, config, *_ in list(PUBLISHED.values())[:2])
    assert list(first) == list(second)
    assert sum(first[name].value.shape != second[name].value.shape for name in first) == 64


def test_every_normalisation_has_the_epsilon_of_the_published_model():
    def epsilons(module, path=""):
        for name, value in vars(module).items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, GroupNorm | LayerNorm):
                    yield f"{path}{name}", child.eps
                elif isinstance(child, Module):
                    yield from epsilons(child, f"{path}{name}.")

    assert {eps for _, eps in epsilons(AutoencoderKL(None, AutoencoderConfig()))} == {1e-6}
    unet = set(epsilons(UNet2DConditionModel(None, UNetConfig())))
    assert {name for name, eps in unet if eps == 1e-6} == {
        "down_blocks.attentions.norm", "mid_block.attentions.norm", "up_blocks.attentions.norm"}
    assert {eps for _, eps in unet} == {1e-5, 1e-6}
    assert {eps for _, eps in epsilons(CLIPTextModel(None, TextConfig()))} == {1e-5}

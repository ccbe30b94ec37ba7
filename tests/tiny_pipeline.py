"""A whole model of a few thousand random weights: 16 x 16 images in milliseconds."""

from __future__ import annotations

import numpy as np

from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.diffusion.schedules import Schedule
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer

FLOW = to_config(Scheduler("dpm++", Schedule("flow"), "flow_prediction"))
STABLE_DIFFUSION = to_config(Scheduler("pndm"))
WORDS = ["a red heart above a blue square", "a green star on a white background"]
SIDE, LENGTH = 16, 12


def tiny_pipeline(scheduler: dict = FLOW, channels: int = 4, words: list[str] = WORDS, **defaults) -> Pipeline:
    """Images of 16 x 16, latents of 8 x 8 x 4, sizes in multiples of 4; a text is 12 tokens, a word is one.

    `channels` are what the UNet reads: 9 for one that was trained to inpaint. The tokenizer has learned `words`.
    """
    rng = np.random.default_rng(0)
    tokenizer = Tokenizer.train(words, 600, LENGTH)
    text = CLIPTextModel(rng, TextConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=16,
                                         num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=LENGTH))
    text.final_layer_norm.weight.value *= 20  # so that the prompt matters
    unet = UNet2DConditionModel(rng, UNetConfig(
        in_channels=channels, sample_size=SIDE // 2, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1, cross_attention_dim=8, attention_head_dim=2, norm_num_groups=4))
    vae = AutoencoderKL(rng, AutoencoderConfig(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
                                               sample_size=SIDE))
    defaults = {"num_inference_steps": 3, "guidance_scale": 3.0} | defaults
    return Pipeline(tokenizer, text, unet, vae, scheduler | defaults)


def unet_calls(monkeypatch):
    """A list that grows by one at each call of a UNet."""
    calls, call = [], UNet2DConditionModel.__call__
    monkeypatch.setattr(UNet2DConditionModel, "__call__", lambda *args: (calls.append(1), call(*args))[1])
    return calls

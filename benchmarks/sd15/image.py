"""A whole image: prompt, sampling, decoder, by a pipeline of all three parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from minidiff.backend import to_host
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import to_config
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer

PROMPT = "a red heart above a blue square"
OPTIONS = {"num_inference_steps": 20, "guidance_scale": 7.5}


def write(folder: Path, configs: dict) -> int:
    """Write a pipeline with random weights; returns how many there are."""
    rng, tokenizer = np.random.default_rng(0), Tokenizer.train([PROMPT], 600)
    text = replace(configs["text"], bos_token_id=tokenizer.start_id, eos_token_id=tokenizer.end_id,
                   pad_token_id=tokenizer.pad_id)
    pipe = Pipeline(tokenizer, CLIPTextModel(rng, text), UNet2DConditionModel(rng, configs["unet"]),
                    AutoencoderKL(rng, configs["vae"]), to_config(Scheduler("dpm++")))
    pipe.save_pretrained(folder, dtype="float32")
    return sum(parameter.value.size for model in (pipe.text_encoder, pipe.unet, pipe.vae)
               for parameter in model.parameters())


def ours(folder: Path, noise: np.ndarray) -> Callable[[], np.ndarray]:
    pipe = Pipeline.from_pretrained(folder, "cpu")

    def run():
        *_, last = pipe.stream(PROMPT, latents=noise, **OPTIONS)
        return to_host(last.value)

    return run

"""The stages of minidiff.training, and the batch of each that is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidiff.backend import to_host
from minidiff.data.batches import scene_batch
from minidiff.data.scene_source import SceneSource
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.tokenizer import Tokenizer
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining, clip_config
from minidiff.training.diffusion import DiffusionTraining, Latents
from minidiff.training.presets import Settings, StageSettings


def stages(settings: Settings, device: str, latents: int = 200) -> Iterator:
    """The three stages with fresh models; the diffusion stage has random latents."""
    rng = np.random.default_rng(0)
    captions = scene_batch(0, 200, 8).captions
    tokenizer = Tokenizer.train(captions, settings.text.vocab_size, settings.text.max_length)
    source = SceneSource(settings.size, settings.seed, settings.diffusion.latents)
    yield AutoencoderTraining(settings, device, source)
    yield ContrastiveTraining(settings, tokenizer, device, source)
    side = settings.size // 2 ** (len(settings.autoencoder.block_out_channels) - 1)
    mean = rng.standard_normal((200, side, side, settings.autoencoder.latent_channels), "float32").astype(np.float16)
    mean, ids = (np.resize(array, (latents, *array.shape[1:])) for array in (mean, tokenizer(captions)))
    text_encoder = CLIPTextModel(rng, clip_config(settings, tokenizer).text_config)
    yield DiffusionTraining(settings, tokenizer, text_encoder, [Latents(mean, ids)], device)


def diffusion(settings: Settings, device: str = "cpu", latents: int = 200) -> DiffusionTraining:
    return next(stage for stage in stages(settings, device, latents) if stage.name == "diffusion")


def settings_of(stage) -> StageSettings:
    return getattr(stage.settings, f"train_{stage.name}")


def batch_of(stage) -> list[np.ndarray]:
    """The arrays of a stage's first batch."""
    return [to_host(array) for array in stage.draw(0)]

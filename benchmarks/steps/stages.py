"""The stages of minidiff.training, each on one batch, drawn once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from minidiff.backend import to_host
from minidiff.data.batches import SceneBatches
from minidiff.data.scene_source import SceneSource
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.tokenizer import Tokenizer
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining, clip_config
from minidiff.training.diffusion import DiffusionTraining, Latents
from minidiff.training.presets import Settings, StageSettings
from minidiff.training.ranks import Ranks


def stages(settings: Settings, device: str, latents: int = 200) -> Iterator:
    """The three stages with fresh models; the diffusion stage has random latents."""
    rng = np.random.default_rng(0)
    captions = next(SceneBatches(200, 8)).captions
    tokenizer = Tokenizer.train(captions, settings.text.vocab_size, settings.text.max_length)
    source = DrawnOnce(settings.size, settings.seed, settings.diffusion.latents)
    yield AutoencoderTraining(settings, device, source)
    yield ContrastiveTraining(settings, tokenizer, device, source)
    side = settings.size // 2 ** (len(settings.autoencoder.block_out_channels) - 1)
    mean = rng.standard_normal((200, side, side, settings.autoencoder.latent_channels), "float32").astype(np.float16)
    mean, ids = (np.resize(array, (latents, *array.shape[1:])) for array in (mean, tokenizer(captions)))
    text_encoder = CLIPTextModel(rng, clip_config(settings, tokenizer).text_config)
    yield DiffusionTraining(settings, tokenizer, text_encoder, [Latents(mean, ids)], device)


def diffusion(settings: Settings, device: str = "cpu", latents: int = 200) -> DiffusionTraining:
    return next(stage for stage in stages(settings, device, latents) if stage.name == "diffusion")


class DrawnOnce(SceneSource):
    """Scenes of which every training batch is the same: drawing images is not part of what is compared."""

    def training_batch(self, index, batch_size):
        return first_batch(batch_size, self.size, self.seed)

    contrastive_batch = training_batch


@cache
def first_batch(batch_size, size, seed):
    return next(SceneBatches(batch_size, size, seed))


def settings_of(stage) -> StageSettings:
    return getattr(stage.settings, f"train_{stage.name}")


def batch_of(stage) -> list[np.ndarray]:
    """The arrays from which a stage computes its first loss."""
    recorder = Recorder()
    try:
        stage.step(recorder, 0, 1.0)
    except Recorded:
        return [to_host(array) for array in recorder.arrays]
    raise AssertionError(f"the {stage.name} stage gave its workers nothing to do")


class Recorded(Exception):
    """The batch is known, so the step need not go on."""


class Recorder:
    """Takes the place of Workers and keeps the arrays that they would have split."""

    run, ranks = None, Ranks()

    def split(self, *arrays):
        self.arrays = arrays
        raise Recorded

    def learn(self, fraction, *arrays):
        self.split(*arrays)

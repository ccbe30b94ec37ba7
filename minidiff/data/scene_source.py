"""The built-in scenes as a source of training data. Each purpose has batches of its own, drawn when they are needed."""

from __future__ import annotations

from ..backend import random_stream
from .batches import SceneBatches, as_batch, evaluation_scenes
from .purposes import Purpose
from .source import Batch
from .twins import twin_batch

CAPTIONS = 4000  # enough for every word of the scenes to be one token


class SceneSource:
    """Scenes of `size` x `size` pixels; the autoencoder, contrastive and diffusion stages see different ones."""

    kind = name = "scenes"

    def __init__(self, size: int, seed: int, latent_count: int):
        self.size, self.seed, self.latent_count = size, seed, latent_count

    def captions(self) -> list[str]:
        return next(SceneBatches(CAPTIONS, 8, self.seed)).captions

    def training_batch(self, index: int, batch_size: int) -> Batch:
        return next(SceneBatches(batch_size, self.size, self.seed, position=index))

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        return twin_batch(random_stream(self.seed + 1, Purpose.SCENES, index), batch_size, self.size)

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        drawn = next(SceneBatches(batch_size, self.size, self.seed + 2, position=index))
        rest = self.latent_count - index * batch_size
        return Batch(drawn.images[:rest], drawn.captions[:rest])

    def held_out(self, count: int) -> Batch:
        return as_batch(evaluation_scenes(count, "held_out"), self.size)

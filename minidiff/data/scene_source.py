"""The built-in scenes as a source of training data. Each purpose has batches of its own, drawn when they are needed."""

from __future__ import annotations

from ..backend import random_stream
from .batches import FREE_WORDING, SceneBatches, as_batch, evaluation_scenes
from .purposes import Purpose
from .source import Batch
from .twins import twin_batch

CAPTIONS = 4000  # enough for every word of the scenes to be one token


class SceneSource:
    """Scenes of `size` x `size` pixels; the autoencoder, contrastive and diffusion stages see different ones.

    A fraction `free_wording` of the captions is in other words than the plain ones.
    """

    kind = name = "scenes"

    def __init__(self, size: int, seed: int, latent_count: int, free_wording: float = FREE_WORDING):
        self.size, self.seed, self.latent_count, self.free_wording = size, seed, latent_count, free_wording

    def captions(self) -> list[str]:
        return self._batch(CAPTIONS, 8, self.seed).captions

    def training_batch(self, index: int, batch_size: int) -> Batch:
        return self._batch(batch_size, self.size, self.seed, index)

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        return twin_batch(random_stream(self.seed + 1, Purpose.SCENES, index), batch_size, self.size, self.free_wording)

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        drawn = self._batch(batch_size, self.size, self.seed + 2, index)
        rest = self.latent_count - index * batch_size
        return Batch(drawn.images[:rest], drawn.captions[:rest])

    def held_out(self, count: int) -> Batch:
        return as_batch(evaluation_scenes(count, "held_out"), self.size)

    def _batch(self, batch_size, size, seed, index=0):
        return next(SceneBatches(batch_size, size, seed, position=index, free_wording=self.free_wording))

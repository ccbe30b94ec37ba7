"""The built-in scenes as a source of training data. Each purpose has batches of its own, drawn when they are needed."""

from __future__ import annotations

from ..backend import random_stream
from .batches import FREE_WORDING, as_batch, evaluation_scenes, scene_batch
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
        return self._batch(0, CAPTIONS, 8, self.seed).captions

    def training_batch(self, index: int, batch_size: int) -> Batch:
        return self._batch(index, batch_size, self.size, self.seed)

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        return twin_batch(random_stream(self.seed + 1, Purpose.SCENES, index), batch_size, self.size, self.free_wording)

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        drawn = self._batch(index, batch_size, self.size, self.seed + 2)
        rest = self.latent_count - index * batch_size
        return Batch(drawn.images[:rest], drawn.captions[:rest])

    def held_out(self, count: int) -> Batch:
        return as_batch(evaluation_scenes(count, "held_out"), self.size)

    def _batch(self, index, batch_size, size, seed):
        return scene_batch(index, batch_size, size, seed, free_wording=self.free_wording)

"""Endless batches of captioned scenes, resumable from one number.

Batch i depends on (seed, i) alone: its random generator is Philox with the seed in the key and i in the counter.
The other word of the key, its purpose, separates training from evaluation, so no scored image was ever trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..backend import random_stream
from .purposes import Purpose
from .scene_captions import captions_of, worded
from .scenes import Scene, draw_scene, images_of, to_float
from .source import Batch

FREE_WORDING = 0.5  # of training captions


@dataclass(frozen=True)
class SceneBatch(Batch):
    """A batch, and the scenes that its images show."""

    scenes: list[Scene]


def scene_batch(index: int, batch_size: int, size: int = 64, seed: int = 0, split: str = "seen",
                free_wording: float = FREE_WORDING) -> SceneBatch:
    """Training batch `index`; a fraction `free_wording` of its captions is in other words than the plain ones."""
    rng = random_stream(seed, Purpose.SCENES, index)
    scenes = [draw_scene(rng, split) for _ in range(batch_size)]
    return as_batch(scenes, size, captions_of(rng, scenes, free_wording))


def as_batch(scenes: list[Scene], size: int = 64, captions: list[str] | None = None) -> SceneBatch:
    """The scenes, rendered, with the given or their plain captions."""
    return SceneBatch(to_float(images_of(scenes, size)), captions or [scene.caption for scene in scenes], scenes)


def evaluation_scenes(count: int, split: str = "seen", seed: int = 0) -> list[Scene]:
    """Scenes for scoring a model, never used in training; a larger `count` only appends more."""
    return [draw_scene(random_stream(seed, Purpose.SCORED_SCENES, index), split) for index in range(count)]


def in_other_words(scenes: list[Scene], seed: int = 0) -> list[str]:
    """For each of the `evaluation_scenes`, a caption in other words than the plain ones."""
    return [worded(random_stream(seed, Purpose.SCENES_IN_OTHER_WORDS, index), scene)
            for index, scene in enumerate(scenes)]

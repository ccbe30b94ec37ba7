"""Twins: scenes whose captions use nearly the same words but say something else, as hard negatives.

Among random captions a bag of words tells most images apart, so a contrastive model never learns who is left of whom.
Beside its twin only the order of the words, or one of them, does (Yuksekgonul et al., 2210.01936, section 4).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .batches import Batch, as_batch
from .scenes import COLOURS, HELD_OUT, PLACES, SHAPES, SIZES, Scene, draw_scene, lay_out, pick


def twin_batch(rng: np.random.Generator, batch_size: int, size: int = 64) -> Batch:
    """A training batch of scenes, each followed by its twin."""
    scenes = [draw_scene(rng) for _ in range((batch_size + 1) // 2)]
    return as_batch([each for scene in scenes for each in (scene, draw_twin(rng, scene))][:batch_size], size)


def draw_twin(rng: np.random.Generator, scene: Scene) -> Scene:
    """The scene with its two objects exchanged, or their colours or shapes where order is free, or one word changed.

    It keeps its layout as far as its caption allows, no image fits both captions, and no pair is a held-out one.
    """
    if scene.relation:
        return exchanged(scene)
    twins = [exchanged(scene, "colour"), exchanged(scene, "shape")] if len(scene.objects) == 2 else []
    twins = [twin for twin in twins if _things(twin) != _things(scene) and not _held_out(twin, scene)]
    while not twins:
        twins = [twin for twin in _other_words(rng, scene) if not _held_out(twin, scene)]
    return pick(rng, twins)


def exchanged(scene: Scene, *names: str) -> Scene:
    """The scene with its two objects in each other's place, or only what is called one of `names`."""
    first, second = scene.objects
    names = names or ("colour", "shape")
    return replace(scene, objects=tuple(replace(thing, **{name: getattr(other, name) for name in names})
                                        for thing, other in ((first, second), (second, first))))


def _other_words(rng, scene):
    first, *rest = scene.objects
    colours = [colour for colour in COLOURS if colour not in {thing.colour for thing in rest}]
    changed = [replace(scene, objects=(replace(first, colour=_other(rng, colours, first.colour)), *rest)),
               replace(scene, objects=(replace(first, shape=_other(rng, SHAPES, first.shape)), *rest))]
    if scene.size:
        changed.append(lay_out(rng, replace(scene, size=_other(rng, SIZES, scene.size))))
    if scene.place:
        changed.append(lay_out(rng, replace(scene, place=_other(rng, PLACES, scene.place))))
    return changed


def _held_out(twin, scene):
    """Does the twin bring in a held-out pair?"""
    return not (_things(twin) - _things(scene)).isdisjoint(HELD_OUT)


def _things(scene):
    return {(thing.colour, thing.shape) for thing in scene.objects}


def _other(rng, words, word):
    return pick(rng, [other for other in words if other != word])

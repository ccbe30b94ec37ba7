"""Twins: hard negatives, scenes whose plain captions use nearly the same words but mean something else.

In a random batch a bag of words is enough to match captions with images, so a contrastive model never learns which
object is on the left. The plain captions of twins differ only in the order of their words, or in one word
(Yuksekgonul et al. 2022, arXiv 2210.01936, section 4); a part of all captions then says it in other words.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .batches import FREE_WORDING, SceneBatch, as_batch
from .scene_captions import captions_of
from .scenes import COLOURS, HELD_OUT, PLACES, SHAPES, SIZES, Scene, draw_scene, lay_out, pick


def twin_batch(rng: np.random.Generator, batch_size: int, size: int = 64,
               free_wording: float = FREE_WORDING) -> SceneBatch:
    """A training batch of scenes, each followed by its twin; a fraction `free_wording` of captions in other words."""
    scenes = [draw_scene(rng) for _ in range((batch_size + 1) // 2)]
    scenes = [each for scene in scenes for each in (scene, draw_twin(rng, scene))][:batch_size]
    return as_batch(scenes, size, captions_of(rng, scenes, free_wording))


def draw_twin(rng: np.random.Generator, scene: Scene) -> Scene:
    """The scene with its objects exchanged if they are in a relation; else with a colour, shape or other word changed.

    Two objects without a relation exchange their colours or shapes if possible. The layout is kept as far as the new
    caption allows, no image fits both captions, and no held-out pair is added.
    """
    if scene.relation:
        return exchanged(scene)
    twins = [exchanged(scene, "colour"), exchanged(scene, "shape")] if len(scene.objects) == 2 else []
    twins = [twin for twin in twins if _things(twin) != _things(scene) and not _adds_held_out(twin, scene)]
    while not twins:
        twins = [twin for twin in _one_word_changed(rng, scene) if not _adds_held_out(twin, scene)]
    return pick(rng, twins)


def exchanged(scene: Scene, *attributes: str) -> Scene:
    """The scene with the given attributes of its two objects exchanged, by default both colour and shape."""
    first, second = scene.objects
    attributes = attributes or ("colour", "shape")
    return replace(scene, objects=tuple(replace(thing, **{name: getattr(other, name) for name in attributes})
                                        for thing, other in ((first, second), (second, first))))


def _one_word_changed(rng, scene):
    """The scene with another colour, another shape and, if stated, another size or place of its first object."""
    first, *rest = scene.objects
    colours = [colour for colour in COLOURS if colour not in {thing.colour for thing in rest}]
    changed = [replace(scene, objects=(replace(first, colour=_other(rng, colours, first.colour)), *rest)),
               replace(scene, objects=(replace(first, shape=_other(rng, SHAPES, first.shape)), *rest))]
    if scene.size:
        changed.append(lay_out(rng, replace(scene, size=_other(rng, SIZES, scene.size))))
    if scene.place:
        changed.append(lay_out(rng, replace(scene, place=_other(rng, PLACES, scene.place))))
    return changed


def _adds_held_out(twin, scene):
    """Whether the twin has a held-out pair that the scene has not."""
    return not (_things(twin) - _things(scene)).isdisjoint(HELD_OUT)


def _things(scene):
    return {(thing.colour, thing.shape) for thing in scene.objects}


def _other(rng, words, word):
    return pick(rng, [other for other in words if other != word])

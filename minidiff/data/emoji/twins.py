"""Twins of scenes: images whose captions use nearly the same words but mean something else.

They teach a contrastive model what a bag of words can't tell (data/twins.py).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..scenes import PLACES, pick
from .held_out import never_counted, never_placed
from .random_scenes import draw_scene
from .scenes import EmojiScene, coloured, counted, named, on_background, placed, related
from .vocabulary import Vocabulary
from .wording import NUMBERS


def draw_twin(rng: np.random.Generator, scene: EmojiScene, words: Vocabulary) -> EmojiScene:
    """The scene with its two things exchanged, or in another colour, number, place or skin tone; else another scene.

    No held-out combination is among the twins of scenes that are seen in training.
    """
    emoji = scene.stickers[0].emoji
    if scene.kind == "related":
        return on_background(related(rng, scene.stickers[1].emoji, emoji, scene.relation), scene.named_background)
    others = list(_others(scene, words))
    if not others:
        return named(rng, pick(rng, words.named.seen)) if scene.kind == "named" else draw_scene(rng, words, scene.kind)
    if scene.kind == "named":
        return named(rng, pick(rng, others))
    make = {"coloured": coloured, "counted": counted, "placed": placed}[scene.kind]
    return on_background(make(rng, emoji, pick(rng, others)), scene.named_background)


def _others(scene: EmojiScene, words: Vocabulary) -> Iterable:
    """What may stand in the place of a scene's emoji, colour, number or place."""
    emoji = scene.stickers[0].emoji
    if scene.kind == "named":
        return (one for one in words.family(emoji) if one.name != emoji.name)
    if scene.kind == "coloured":
        return (colour for colour in words.colours_of[emoji.file] if colour != scene.stickers[0].colour)
    if scene.kind == "counted":
        return (number for number in NUMBERS
                if number != len(scene.stickers) and not never_counted(emoji.name, number))
    if scene.kind == "placed":
        return (place for place in PLACES if place != scene.place and not never_placed(emoji.name, place))
    return ()

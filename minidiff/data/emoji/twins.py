"""Twins of scenes: images whose captions use nearly the same words but mean something else.

They teach a contrastive model what a bag of words can't tell (data/twins.py).
"""

from __future__ import annotations

import numpy as np

from ..scenes import PLACES, pick
from .scenes import (
    EmojiScene,
    coloured,
    counted,
    draw_scene,
    named,
    never_counted,
    never_placed,
    on_background,
    placed,
    related,
)
from .vocabulary import Vocabulary
from .wording import NUMBERS


def draw_twin(rng: np.random.Generator, scene: EmojiScene, words: Vocabulary) -> EmojiScene:
    """The scene with its two things exchanged, or in another colour, number, place or skin tone; else another scene.

    No held-out combination is among them.
    """
    if scene.kind == "named":
        return named(rng, pick(rng, words.family(scene.stickers[0].emoji)))
    if scene.kind == "described":
        return draw_scene(rng, words, "described")
    emoji = scene.stickers[0].emoji
    if scene.kind == "coloured":
        return coloured(rng, emoji, pick(rng, words.colours_of[emoji.file]))
    if scene.kind == "counted":
        twin = counted(rng, emoji, pick(rng, [number for number in NUMBERS if not never_counted(emoji, number)]))
    elif scene.kind == "placed":
        twin = placed(rng, emoji, pick(rng, [place for place in PLACES if not never_placed(emoji, place)]))
    else:
        twin = related(rng, scene.stickers[1].emoji, emoji, scene.relation)
    return on_background(twin, scene.named_background)

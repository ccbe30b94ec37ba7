"""Random scenes, of words that are seen together in training or of those that are held out."""

from __future__ import annotations

import numpy as np

from ..scenes import PLACES, RELATIONS, pick
from .held_out import never_counted, never_placed, never_related
from .scenes import BACKGROUNDS, EmojiScene, coloured, counted, described, on_background, placed, related
from .vocabulary import KINDS, Vocabulary
from .wording import NUMBERS


def draw_scene(rng: np.random.Generator, words: Vocabulary, kind: str | None = None, split: str = "seen") -> EmojiScene:
    """A random scene of a kind, whose combination of words is "seen" in training or "held_out".

    The kind is one of those that there are words for, `words.kinds`; by default any of them, in their proportions.
    """
    out = split == "held_out"
    if kind is None:
        kinds = words.kinds[out]
        fractions = np.array([KINDS[name] for name in kinds])
        kind = kinds[rng.choice(len(kinds), p=fractions / fractions.sum())]
    return _DRAW[kind](rng, words, out)


def _draw_coloured(rng, words, out):
    return coloured(rng, *pick(rng, words.coloured[out]))


def _draw_described(rng, words, out):
    return described(rng, *pick(rng, words.descriptions[out]))


def _draw_counted(rng, words, out):
    while True:
        emoji, number = pick(rng, words.common), pick(rng, list(NUMBERS))
        if never_counted(emoji.name, number) == out:
            return on_background(counted(rng, emoji, number), any_background(rng))


def _draw_placed(rng, words, out):
    while True:
        emoji, place = pick(rng, words.common), pick(rng, list(PLACES))
        if never_placed(emoji.name, place) == out:
            return on_background(placed(rng, emoji, place), any_background(rng))


def _draw_related(rng, words, out):
    while True:
        first, second = pick(rng, words.common), pick(rng, words.common)
        if first.name != second.name and never_related(first.name, second.name) == out:
            return on_background(related(rng, first, second, pick(rng, list(RELATIONS))), any_background(rng))


_DRAW = {"coloured": _draw_coloured, "described": _draw_described, "counted": _draw_counted, "placed": _draw_placed,
         "related": _draw_related}


def any_background(rng: np.random.Generator) -> str | None:
    """None, which stands for white and unsaid, in half of the scenes."""
    return None if rng.random() < 0.5 else pick(rng, list(BACKGROUNDS))

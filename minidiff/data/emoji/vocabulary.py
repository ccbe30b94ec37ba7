"""What can be said with a set of emoji: the names, nouns, colours and descriptions that captions are made of.

Of every kind of combination, some are held out by a hash of their words: they are never drawn in training, so that a
model's score on them shows whether it composes what it knows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from .colours import HUES, OPAQUE, hue_of
from .wording import is_plural, without_colour

NO_NOUNS = ("people", "symbols", "flags", "component", "")  # groups whose emoji are not put into scenes
LONGEST_NOUN = 3             # words
MOST_MEANT = {1: 6, 2: 3}    # emoji that a description of so many words may fit
LEAST_OPAQUE = 0.2           # of its image that a thing in a scene fills
TONES_OUT, WORDS_OUT = 12, 10  # one of that many skin tones, and of other combinations, is held out
LONELY = 20                  # one of that many nouns is never in a relation


@dataclass(frozen=True)
class Emoji:
    """An image with alpha, uint8 (S, S, 4), its name and other words for it."""

    file: str
    name: str
    tags: tuple[str, ...]
    group: str
    has_tone: bool
    image: np.ndarray

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is opaque."""
        inside = self.image[..., 3] >= OPAQUE
        (top, bottom), (left, right) = _extent(inside.any(axis=1)), _extent(inside.any(axis=0))
        return left, top, right, bottom

    @cached_property
    def hue(self) -> float | None:
        """The hue that it is mostly of, if there is one."""
        return hue_of(self.image)


def is_held_out(words: str, one_of: int) -> bool:
    """Whether a combination is held out: one of that many is, by a hash of its words."""
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") % one_of == 0


class Vocabulary:
    """The words for a list of emoji."""

    def __init__(self, emoji: list[Emoji]):
        self.emoji = emoji

    @cached_property
    def split(self) -> tuple[list[Emoji], list[Emoji]]:
        """Those whose names are trained on, and the held-out ones: combinations of a known thing and skin tone."""
        held_out = [one for one in self.emoji if one.has_tone and is_held_out(one.name, TONES_OUT)]
        files = {one.file for one in held_out}
        return [one for one in self.emoji if one.file not in files], held_out

    def family(self, emoji: Emoji) -> list[Emoji]:
        """Those that are trained on and have the same name but for the skin tone; of a plain one, all of its group."""
        return self._families[_family(emoji)]

    @cached_property
    def _families(self):
        families = defaultdict(list)
        for one in self.split[0]:
            families[_family(one)].append(one)
        return families

    @cached_property
    def plain(self) -> list[Emoji]:
        """Those without a skin tone."""
        return [one for one in self.emoji if not one.has_tone]

    @cached_property
    def nouns(self) -> list[Emoji]:
        """Things that can be counted and put beside each other."""
        return [one for one in self.plain if one.group not in NO_NOUNS and _is_short(one.name)
                and not is_plural(one.name) and (one.image[..., 3] >= OPAQUE).mean() >= LEAST_OPAQUE]

    @cached_property
    def colourable(self) -> list[Emoji]:
        return [one for one in self.nouns if one.hue is not None]

    @cached_property
    def coloured_names(self) -> set[str]:
        """Names such as 'blue heart', which say the colour themselves."""
        return {one.name for one in self.plain if without_colour(one.name) != one.name}

    @cached_property
    def colours_of(self) -> dict[str, list[str]]:
        """The colours that a thing, by its file, is seen in."""
        colours = defaultdict(list)
        for one, colour in self.coloured[False]:
            colours[one.file].append(colour)
        return colours

    @cached_property
    def coloured(self) -> dict[bool, list[tuple[Emoji, str]]]:
        """Things and the colours that they are shown in: seen (False) and held out (True)."""
        pairs = defaultdict(list)
        for one in self.colourable:
            base = without_colour(one.name)
            for colour in HUES:
                name = f"{colour} {base}"
                pairs[name not in self.coloured_names and is_held_out(name, WORDS_OUT)].append((one, colour))
        return pairs

    @cached_property
    def descriptions(self) -> dict[bool, list[tuple[str, tuple[Emoji, ...]]]]:
        """One or two tags that fit few emoji, and these: seen (False) and held out (True); one alone never is."""
        meant, names = defaultdict(list), {one.name for one in self.emoji}
        for one in self.plain:
            tags = sorted({tag.lower() for tag in one.tags if tag.isalpha()})
            for words in (*combinations(tags, 1), *combinations(tags, 2)):
                meant[words].append(one)
        found = defaultdict(list)
        for words, fitting in meant.items():
            text = " ".join(words)
            if len(fitting) <= MOST_MEANT[len(words)] and text not in names:
                found[len(words) > 1 and is_held_out(text, WORDS_OUT)].append((text, tuple(fitting)))
        return found


def _family(emoji):
    return emoji.name.partition(":")[0] if emoji.has_tone else emoji.group


def _is_short(name):
    return name.count(" ") < LONGEST_NOUN and name.replace(" ", "").replace("-", "").isalpha()


def _extent(line):
    inside = np.flatnonzero(line)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(line))

"""What can be said with a set of emoji: the names, nouns, colours and descriptions that captions are made of."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from ..scenes import PLACES
from .colours import HUES, OPAQUE
from .emoji import Emoji
from .held_out import TONES_OUT, WORDS_OUT, is_held_out, never_counted, never_placed, never_related
from .wording import NUMBERS, is_mass, is_thing, without_colour

NO_NOUNS = ("people", "symbols", "flags", "component", "")  # groups whose emoji are not put into scenes
LONGEST_NOUN = 3             # words
MOST_MEANT = {1: 6, 2: 3}    # emoji that a description of so many words may fit
LEAST_OPAQUE = 0.2           # of its image that a thing fills
LONGEST_WORD = 7             # letters of a common noun: what people name often has a short name (Zipf 1935)
LEAST_FILLED = 0.4           # of the square around it that a common noun fills, and so can be seen when it is small
KINDS = {"coloured": 0.1, "described": 0.35, "counted": 0.15, "placed": 0.15, "related": 0.25}  # and their fractions


class Split(NamedTuple):
    """What is trained on, and what never is. [False] and [True], "is it held out", are the same two."""

    seen: list
    held_out: list


class Vocabulary:
    """The words for a list of emoji."""

    def __init__(self, emoji: list[Emoji]):
        self.emoji = emoji

    @cached_property
    def named(self) -> Split:
        """The emoji by whether their names are trained on; held-out ones combine a known thing and a skin tone."""
        held_out = [one for one in self.emoji if one.has_tone and is_held_out(one.name, TONES_OUT)]
        files = {one.file for one in held_out}
        return Split([one for one in self.emoji if one.file not in files], held_out)

    def family(self, emoji: Emoji) -> list[Emoji]:
        """Those that are trained on and have the same name but for the skin tone; of a plain one, all of its group."""
        return self._families[_family(emoji)]

    @cached_property
    def _families(self):
        families = defaultdict(list)
        for one in self.named.seen:
            families[_family(one)].append(one)
        return families

    @cached_property
    def kinds(self) -> Split:
        """The kinds of scenes that there are words for."""
        names = [one.name for one in self.common]

        def found(out):
            there = {
                "coloured": self.coloured[out], "described": self.descriptions[out],
                "counted": any(never_counted(name, number) == out for name in names for number in NUMBERS),
                "placed": any(never_placed(name, place) == out for name in names for place in PLACES),
                "related": any(never_related(*pair) == out for pair in combinations({*names}, 2))}
            return [kind for kind in KINDS if there[kind]]

        return Split(found(False), found(True))

    @cached_property
    def plain(self) -> list[Emoji]:
        """Those without a skin tone."""
        return [one for one in self.emoji if not one.has_tone]

    @cached_property
    def nouns(self) -> list[Emoji]:
        """Things, one each."""
        return [one for one in self.plain if one.group not in NO_NOUNS and _is_short(one.name)
                and is_thing(one.name) and (one.image[..., 3] >= OPAQUE).mean() >= LEAST_OPAQUE]

    @cached_property
    def common(self) -> list[Emoji]:
        """The nouns that are counted, placed and put beside each other: few, so that each is seen often."""
        return [one for one in self.nouns if _is_common(one.name) and one.filled >= LEAST_FILLED]

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
        for one, colour in self.coloured.seen:
            colours[one.file].append(colour)
        return colours

    @cached_property
    def coloured(self) -> Split:
        """Things and the colours that they are shown in: (emoji, colour)."""
        pairs = Split([], [])
        for one in self.colourable:
            base = without_colour(one.name)
            for colour in HUES:
                name = f"{colour} {base}"
                pairs[name not in self.coloured_names and is_held_out(name, WORDS_OUT)].append((one, colour))
        return pairs

    @cached_property
    def descriptions(self) -> Split:
        """One or two tags that fit few emoji, and these: (text, (emoji, ...)). One tag alone is never held out."""
        meant, names = defaultdict(list), {one.name for one in self.emoji}
        for one in self.plain:
            tags = sorted({tag.lower() for tag in one.tags if tag.isalpha()})
            for words in (*combinations(tags, 1), *combinations(tags, 2)):
                meant[words].append(one)
        found = Split([], [])
        for words, fitting in meant.items():
            text = " ".join(words)
            if len(fitting) <= MOST_MEANT[len(words)] and text not in names:
                found[len(words) > 1 and is_held_out(text, WORDS_OUT)].append((text, tuple(fitting)))
        return found


def _family(emoji):
    return emoji.name.partition(":")[0] if emoji.has_tone else emoji.group


def _is_common(name):
    word = without_colour(name)
    return " " not in word and len(word) <= LONGEST_WORD and not is_mass(word)


def _is_short(name):
    return name.count(" ") < LONGEST_NOUN and name.replace(" ", "").replace("-", "").isalpha()

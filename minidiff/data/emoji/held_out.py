"""Which combinations of words are held out: a model's score on them shows whether it composes what it knows.

A hash of the words decides, so that it is the same whatever else is in a set. Held-out combinations are never drawn in
training.
"""

from __future__ import annotations

import hashlib

TONES_OUT, WORDS_OUT = 12, 10  # one of that many skin tones, and of other combinations, is held out
LONELY = 20                    # one of that many nouns is never in a relation


def is_held_out(words: str, one_of: int) -> bool:
    """Whether a combination is held out: one of that many is, by a hash of its words."""
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") % one_of == 0


def never_counted(name: str, number: int) -> bool:
    return is_held_out(f"{number} {name}", WORDS_OUT)


def never_placed(name: str, place: str) -> bool:
    return is_held_out(f"{name} {place}", WORDS_OUT)


def never_related(first: str, second: str) -> bool:
    """Held out are pairs of things, and things that are never in a relation at all."""
    pair = " and ".join(sorted((first, second)))
    return is_held_out(pair, WORDS_OUT) or is_held_out(first, LONELY) or is_held_out(second, LONELY)

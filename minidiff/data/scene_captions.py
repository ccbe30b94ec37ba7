"""What people may say about a scene: captions in other words, and all of them read back.

A sentence is

    [OPENING] THING [PLACE] [BACKGROUND]      or      [OPENING] THING RELATION THING [BACKGROUND]
    THING = [ARTICLE] [SIZE] COLOUR SHAPE

in which every word can be one of its synonyms. The plain form, `Scene.caption`, is one of these sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .scenes import BACKGROUNDS, COLOURS, PLACES, RELATIONS, SHAPES, SIZES, Scene, Thing, pick, with_article

SYNONYMS = {
    "cyan": ("turquoise", "aqua"), "purple": ("violet",), "yellow": ("golden",), "gray": ("grey",),
    "circle": ("disc", "disk", "dot"), "square": ("box",), "ring": ("hoop",), "cross": ("plus",),
    "diamond": ("rhombus",), "small": ("little", "tiny"), "large": ("big", "huge"),
    "in the center": ("in the centre", "in the middle"),
    "at the top left": ("in the top left corner", "in the upper left corner"),
    "at the top right": ("in the top right corner", "in the upper right corner"),
    "at the bottom left": ("in the bottom left corner", "in the lower left corner"),
    "at the bottom right": ("in the bottom right corner", "in the lower right corner"),
    "left of": ("to the left of", "on the left of"), "right of": ("to the right of", "on the right of"),
    "above": ("over",), "below": ("under", "beneath"),
}
PLAIN = {other: words for words, others in SYNONYMS.items() for other in others}
OPENINGS = ("", "there is ", "a picture of ", "an image of ", "a drawing of ")
ARTICLES = ("a", "an", "the", "one")
SETTINGS = ("on a {}", "on a {} background", "against a {} background", "with a {} background", "on {}")
PARTS = (OPENINGS, ARTICLES, ("and",), SETTINGS, COLOURS, SHAPES, SIZES, PLACES, RELATIONS, BACKGROUNDS, PLAIN)
WORDS = sorted({word for part in PARTS for words in part for word in words.replace("{}", "").split()})


def worded(rng: np.random.Generator, scene: Scene) -> str:
    """The caption in other words: a random sentence that states the same.

    Some have no article and no opening, or "a" before a vowel, as people type in haste.
    """
    opening, article = pick(rng, OPENINGS), pick(rng, ("", "a", "a or an", "a or an", "the", "one"))
    things = []
    for number, thing in enumerate(scene.objects):
        size = f"{_said(rng, scene.size)} " if scene.size and number == 0 else ""
        name = f"{size}{_said(rng, thing.colour)} {_said(rng, thing.shape)}"
        things.append(with_article(name) if article == "a or an" or (opening and not article) else
                      f"{article} {name}".strip())
    joint = f" {_said(rng, scene.relation)} " if scene.relation else " and "
    place = f" {_said(rng, scene.place)}" if scene.place else ""
    setting = f" {pick(rng, SETTINGS)}".format(_said(rng, scene.background)) if scene.names_background else ""
    return opening + joint.join(things) + place + setting


def captions_of(rng: np.random.Generator, scenes: Sequence[Scene], free_wording: float) -> list[str]:
    """The caption of each scene: plain or, with probability `free_wording`, in other words."""
    return [worded(rng, scene) if rng.random() < free_wording else scene.caption for scene in scenes]


def parse_caption(text: str) -> Scene | None:
    """The scene that such a sentence describes, not laid out yet; None for any other text.

    The inverse of `Scene.caption` and of `worded`.
    """
    match = SENTENCE.fullmatch(" ".join(text.lower().strip(" .").split()))
    if match is None:
        return None
    size, colour, shape, place, link, *second, background = (PLAIN.get(words, words) for words in match.groups())
    if size and link:
        return None
    things = (Thing(colour, shape), Thing(*second)) if link else (Thing(colour, shape),)
    relation = link if link in RELATIONS else None
    return Scene(things, background or "white", size, place, relation, names_background=background is not None)


def _said(rng, words):
    return pick(rng, (words, *SYNONYMS.get(words, ())))


def _any(plain):
    """An expression for the given words and their synonyms."""
    return f"({'|'.join(other for words in plain for other in (words, *SYNONYMS.get(words, ())))})"


_ARTICLE = f"(?:(?:{'|'.join(ARTICLES)}) )?"
_NAME = f"{_any(COLOURS)} {_any(SHAPES)}"
SENTENCE = re.compile(
    f"(?:{'|'.join(OPENINGS)}){_ARTICLE}(?:{_any(SIZES)} )?{_NAME}"
    f"(?: {_any(PLACES)}| {_any(('and', *RELATIONS))} {_ARTICLE}{_NAME})?"
    f"(?: (?:on|against|with) {_ARTICLE}{_any(BACKGROUNDS)}(?: background)?)?")

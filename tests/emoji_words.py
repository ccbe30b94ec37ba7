"""The words of the small set of emoji, its judge, and what a caption says by itself."""

from __future__ import annotations

import re

import numpy as np
from emoji_folder import THINGS, small_set
from PIL import Image

from minidiff.data.emoji.emoji import Emoji
from minidiff.data.emoji.held_out import WORDS_OUT, is_held_out, never_counted, never_placed, never_related
from minidiff.data.emoji.judge import Judge
from minidiff.data.emoji.names import code_points, has_tone
from minidiff.data.emoji.scenes import BACKGROUNDS, EmojiScene
from minidiff.data.emoji.vocabulary import Vocabulary
from minidiff.data.emoji.wording import NUMBERS, plural, with_article
from minidiff.data.scenes import PLACES, RELATIONS


def words_of(things=THINGS, size: int = 64) -> Vocabulary:
    return Vocabulary([
        Emoji(f"{codes}.png", name, tags, group, has_tone(code_points(codes)),
              np.asarray(image.resize((size, size), Image.Resampling.LANCZOS)))
        for codes, (name, tags, group, image) in small_set(things).items()])


WORDS = words_of()
JUDGE = Judge(WORDS)
NAMES = {one.name for one in WORDS.common}
WITH_BACKGROUND = re.compile(f"(.*?)(?: on a ({'|'.join(BACKGROUNDS)}) background)?")


def is_out(scene: EmojiScene) -> bool:
    """Whether a scene has held-out words, read from its caption alone."""
    text = WITH_BACKGROUND.fullmatch(scene.caption)[1]
    if scene.kind == "coloured":
        name = text.removeprefix("an ").removeprefix("a ")
        return name not in {one.name for one in WORDS.plain} and is_held_out(name, WORDS_OUT)
    if scene.kind == "described":
        return " " in text and is_held_out(" ".join(sorted(text.split())), WORDS_OUT)
    [words] = [(first, second) for first in NAMES for second in (
        *(number for number, word in NUMBERS.items() if text == f"{word} {plural(first)}"),
        *(place for place in PLACES if text == f"{with_article(first)} {place}"),
        *(name for name in NAMES for word in RELATIONS
          if text == f"{with_article(first)} {word} {with_article(name)}"))]
    return {"counted": never_counted, "placed": never_placed, "related": never_related}[scene.kind](*words)

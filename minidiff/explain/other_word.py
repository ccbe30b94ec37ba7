"""A prompt with one word changed: a scene with another colour, or the last word as the one whose vector is nearest."""

from __future__ import annotations

import re

import numpy as np

from ..backend import to_host
from ..data.scene_captions import PLAIN, parse_caption
from ..data.scenes import COLOURS
from ..tokenizer.words import END_OF_WORD, words_of

APART = 4  # places between a colour and the one that replaces it: red and cyan, for example


def changed(run) -> str | None:
    """The other prompt; None if no word of this one can be changed."""
    scene = parse_caption(run.prompt)
    if scene is not None:
        colours, colour = list(COLOURS), scene.objects[0].colour
        old = next(word for word in words_of(run.prompt.lower()) if PLAIN.get(word, word) == colour)
        others = [colours[(colours.index(colour) + APART + i) % len(colours)] for i in range(len(colours))]
        new = next(colour for colour in others if colour not in run.prompt)
    else:
        found = [word for word in words_of(run.prompt.lower()) if word.isalpha()]
        old = found[-1] if found else ""
        new = nearest_word(run.pipe, old) if found else None
    return None if new is None else re.sub(rf"\b{re.escape(old)}\b", new, run.prompt, count=1, flags=re.IGNORECASE)


def nearest_word(pipe, word: str) -> str | None:
    """The whole word of the vocabulary, besides this one, whose vector has the smallest angle to this word's."""
    tokenizer = pipe.tokenizer
    table = to_host(pipe.text_encoder.embeddings.token_embedding.weight.value).astype(np.float64)
    own = table[tokenizer.encode(word)[-2]]
    cosine = table @ own / (np.linalg.norm(table, axis=1) * np.linalg.norm(own) + 1e-12)
    for i in np.argsort(-cosine):
        text = tokenizer.tokens[i].removesuffix(END_OF_WORD) if i < len(tokenizer.tokens) else ""
        whole = i < len(tokenizer.tokens) and tokenizer.tokens[i].endswith(END_OF_WORD)
        if whole and len(text) > 2 and text.isascii() and text.isalpha() and text != word:
            return text
    return None

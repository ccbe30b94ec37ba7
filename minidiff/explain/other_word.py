"""A prompt with one word changed: a colour to another one, or a word to the one whose vector is nearest."""

from __future__ import annotations

import numpy as np
import regex

from ..backend import to_host
from ..data.scenes import COLOURS
from ..tokenizer import Tokenizer
from ..tokenizer.words import END_OF_WORD, words_of

LEAST_LETTERS = 3
APART = 4  # places between a colour and the one that replaces it: red and cyan, for example


def changed(run) -> str | None:
    """The other prompt; None if no word of this one can be changed."""
    words = [word for word in words_of(run.prompt.lower()) if word.isalpha()]
    old = next((word for word in words if word in COLOURS), None)
    new = None if old is None else other_colour(run.pipe.tokenizer, old, words)
    if new is None:
        tokens = [word for word in words if len(word) >= LEAST_LETTERS and is_token(run.pipe.tokenizer, word)]
        old = tokens[-1] if tokens else None
        new = None if old is None else nearest_word(run.pipe, old)
    if new is None:
        return None
    whole = rf"(?<!\p{{L}}){old}(?!\p{{L}})"  # beside digits and _, too, as the tokenizer divides words
    other = regex.sub(whole, new, run.prompt, count=1, flags=regex.IGNORECASE)
    return other if other != run.prompt else None


def is_token(tokenizer: Tokenizer, word: str) -> bool:
    return f"{word}{END_OF_WORD}" in tokenizer.vocabulary


def other_colour(tokenizer: Tokenizer, old: str, words: list[str]) -> str | None:
    """A colour far from `old` that is not among the words, and is a token of its own: the model has read it often."""
    colours = list(COLOURS)
    first = colours.index(old) + APART
    others = (colours[(first + i) % len(colours)] for i in range(len(colours)))
    return next((one for one in others if one not in words and is_token(tokenizer, one)), None)


def nearest_word(pipe, word: str) -> str | None:
    """The whole word of the vocabulary, besides this one, whose vector has the smallest angle to this word's."""
    tokenizer = pipe.tokenizer
    table = to_host(pipe.text_encoder.embeddings.token_embedding.weight.value).astype(np.float64)
    own = table[tokenizer.encode(word)[-2]]
    cosine = table @ own / (np.linalg.norm(table, axis=1) * np.linalg.norm(own) + 1e-12)
    for i in np.argsort(-cosine):
        text = tokenizer.tokens[i].removesuffix(END_OF_WORD) if i < len(tokenizer.tokens) else ""
        whole = i < len(tokenizer.tokens) and tokenizer.tokens[i].endswith(END_OF_WORD)
        if whole and len(text) >= LEAST_LETTERS and text.isascii() and text.isalpha() and text != word:
            return text
    return None

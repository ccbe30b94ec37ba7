"""Tokens that are found in a text as a whole, before its words are split.

    "a <cat-toy> on a box"  ->  "a ", <cat-toy>, " on a box"

Start and end of text are such tokens, the padding token is one, and more can be added to a vocabulary: for a new word
of textual inversion (Gal et al. 2022, 2208.01618), or for a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import regex

from ..arguments import prompts
from ..errors import UserError
from .words import normalized

LETTER = regex.compile(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]")
SPACE_BEFORE, SPACE_AFTER = regex.compile(r"(?r)\s*"), regex.compile(r"\s*")  # (?r): from right to left


class AddedToken(NamedTuple):
    """A token and where it is found: `normalized`, in any case and with any white space; `single_word`, only where no
    letter or digit stands beside it. With `lstrip` and `rstrip` it takes the white space before or after it along.
    """

    content: str
    normalized: bool = False
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False


class AddedTokens:
    """All of them: first those that are found in a text as it is written, in what is left those of normalized text."""

    def __init__(self, tokens: Iterable[AddedToken]):
        tokens = list(tokens)
        if not all(text.strip() for text in prompts("an added token", [token.content for token in tokens])):
            raise UserError("an added token is empty: give each one a text")
        self.as_written = Finder({one.content: one for one in tokens if not one.normalized})
        self.normalized = Finder({normalized(one.content): one for one in reversed(tokens) if one.normalized})

    def split(self, text: str) -> Iterator[tuple[str, str]]:
        """Pairs in the order of the text: (normalized text, "") or ("", content of a token)."""
        for part, token in self.as_written.split(text):
            if token:
                yield "", token
            else:
                yield from self.normalized.split(normalized(part))


class Finder:
    """Finds the given texts, from left to right, of several at one place the longest."""

    def __init__(self, tokens: dict[str, AddedToken]):
        self.tokens = tokens
        self.pattern = regex.compile("|".join(map(regex.escape, sorted(tokens, key=len, reverse=True))))

    def split(self, text: str) -> Iterator[tuple[str, str]]:
        done = 0
        for found in self.pattern.finditer(text) if self.tokens else ():
            token, (start, stop) = self.tokens[found[0]], found.span()
            if token.single_word and (LETTER.match(text[start - 1:start]) or LETTER.match(text, stop)):
                continue
            if token.lstrip:
                start = SPACE_BEFORE.match(text, done, start).start()
            if token.rstrip:
                stop = SPACE_AFTER.match(text, stop).end()
            yield from ((text[done:start], ""), ("", token.content))
            done = stop
        yield text[done:], ""

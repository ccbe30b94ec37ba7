"""CLIP's tokenizer: text to token ids and back.

    "A red heart!"  ->  words: a, red, heart, !  ->  bytes, with </w> after the last one of each word
                    ->  merge the adjacent pair that was learned first, again and again  ->  [start, 320, ..., end]

The vocabulary holds the 256 byte symbols, the same symbols with </w>, one token per merge in the order they were
learned, start and end of text, added tokens. Since it has all bytes, it can encode any text. Byte pairs come from
Sennrich, Haddow & Birch 2016 (arXiv 1508.07909), bytes as printable characters from GPT-2, </w> and the rule that
splits words from CLIP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..arguments import instance, items, path, texts, whole
from ..errors import UserError
from ..fields import Length, fits, misfit, shown
from .added_tokens import AddedToken, AddedTokens
from .files import read_folder, write_folder
from .merges import learn_merges, merge, merge_all
from .words import BASE, BYTES, END, END_OF_WORD, MIN_VOCAB_SIZE, PART, START, spell, words_of

SHOWN = 5  # classes that a message names
MOST_KEPT, LONGEST_KEPT = 100_000, 64  # words whose ids are kept, and letters of one


class Tokenizer:
    """Text <-> token ids. `merges`, in the order they were learned, and `added` determine the whole vocabulary.

    `tokenizer(texts)` pads or truncates each text to `max_length`. `pad_token` is end of text if None (as in Stable
    Diffusion 1) and "!" in Stable Diffusion 2. It is a special token, even where it occurs inside a text.
    """

    def __init__(self, merges: Iterable[Sequence[str]], max_length: int = 77, pad_token: str | None = None,
                 added: Iterable[AddedToken] = ()):
        if not fits(max_length, Length):
            raise misfit("max_length", max_length, Length)
        self.max_length = max_length
        self.pad_token = instance("pad_token", END if pad_token is None else pad_token, str)
        self.merges = _merges(merges)
        self.added = tuple(instance("an added token", token, AddedToken) for token in items("added", added))
        base = [*BASE, *(left + right for left, right in self.merges), START, END]
        self.tokens = [*base, *(token.content for token in self.added if token.content not in {*base})]
        self.vocabulary = {token: i for i, token in enumerate(self.tokens)}
        if len({*base}) != len(base):
            raise UserError("two merges give the same token: use the original merge list of this tokenizer")
        if len(self.vocabulary) != len(self.tokens):
            raise UserError("a token was added twice: leave one of them out")
        if self.pad_token not in self.vocabulary:
            raise UserError(f"the padding token {pad_token!r} is not in the vocabulary: use {END!r} or '!'")
        self.start_id, self.end_id, self.pad_id = (self.vocabulary[token] for token in (START, END, self.pad_token))
        self._base_size = len(base)
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        specials = {token: AddedToken(token) for token in (START, END, self.pad_token)}
        self._whole = AddedTokens((specials | {token.content: token for token in self.added}).values())
        self._cache: dict[str, list[int]] = {}

    def __len__(self) -> int:
        """The size of the vocabulary, special and added tokens included."""
        return len(self.tokens)

    @property
    def classes(self) -> list[str]:
        """The added tokens of a tokenizer that has learned no words: all that its model was trained on."""
        return [] if self.merges else self.tokens[self._base_size:]

    @classmethod
    def train(cls, captions: Iterable[str], vocab_size: int, max_length: int = 77) -> Tokenizer:
        """Learn a vocabulary of `vocab_size` tokens, or fewer if every word of the captions becomes one token.

        The order of the captions does not matter.
        """
        if whole("vocab_size", vocab_size, 0) < MIN_VOCAB_SIZE:
            raise UserError(f"a vocabulary of {vocab_size} tokens is too small: use {MIN_VOCAB_SIZE} or more")
        split = cls([])._whole.split
        captions, words = texts("captions", captions), Counter()
        parts = Counter(part for caption in captions for part in PART.findall(caption))
        for part, times in parts.items():
            for word in (word for text, _ in split(part) for word in words_of(text)):
                words[word] += times
        return cls(learn_merges(words, vocab_size - MIN_VOCAB_SIZE), max_length)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, not truncated, between start and end of text."""
        ids = [self.start_id]
        for part, token in self._whole.split(instance("text", text, str)):
            if token:
                ids.append(self.vocabulary[token])
            else:
                ids += (i for word in words_of(part) for i in self._encode_word(word))
        return [*ids, self.end_id]

    def merging(self, word: str) -> Iterator[list[str]]:
        """The symbols of a word: its bytes, then what is left after each merge."""
        symbols, unknown = spell(word), len(self.merges)
        yield symbols
        while len(symbols) > 1:
            pair = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, unknown))
            if pair not in self._ranks:
                break
            symbols = merge(symbols, pair)
            yield symbols

    def _encode_word(self, word: str) -> list[int]:
        if word in self._cache:
            return self._cache[word]
        ids = [self.vocabulary[symbol] for symbol in merge_all(spell(word), self._ranks)]
        if len(self._cache) < MOST_KEPT and len(word) <= LONGEST_KEPT:
            self._cache[word] = ids
        return ids

    def __call__(self, text: str | Iterable[str]) -> np.ndarray:
        """The token ids of N texts, padded or truncated to T = max_length; a truncated row still ends with end of text.

        N texts -> ids (N, T), int64
        """
        found = texts("text", text)
        ids = np.full((len(found), self.max_length), self.pad_id, dtype=np.int64)
        for row, one in zip(ids, found, strict=True):
            tokens = self.encode(one)
            row[:len(tokens)] = tokens[:self.max_length]
            if len(tokens) > self.max_length:
                row[-1] = self.end_id
        return ids

    def tokens_cut(self, text: str) -> int:
        """How many tokens of a text exceed `max_length`, so that a model never sees them."""
        return max(0, len(self.encode(text)) - self.max_length)

    def unread(self, text: str) -> str:
        """What a model cannot read of a text, in a sentence; empty if it reads all of it."""
        if self.classes and any(i < self._base_size for i in self.encode(text)[1:-1]):
            more = f", ... ({len(self.classes)} in all)" if len(self.classes) > SHOWN else ""
            return (f"{text[:40]!r} is none of the classes that this model has learned: "
                    f"{', '.join(self.classes[:SHOWN])}{more}")
        if cut := self.tokens_cut(text):
            return (f"{text[:40]!r}... has {self.max_length + cut} tokens, and this model reads {self.max_length}: the "
                    "rest is dropped")
        return ""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids: words separated by spaces, no special tokens; invalid UTF-8 becomes U+FFFD."""
        ids = [whole("a token id", i, -2**63) for i in items("ids", ids)]
        if ids and not 0 <= min(ids) <= max(ids) < len(self):
            raise UserError(f"token ids must be in 0 to {len(self) - 1}, but these go from {min(ids)} to {max(ids)}")
        parts = (self.tokens[i] if i < self._base_size else "".join(spell(self.tokens[i]))
                 for i in ids if i not in (self.start_id, self.end_id, self.pad_id))
        text = bytes(BYTES[symbol] for part in parts for symbol in part).decode("utf-8", errors="replace")
        return text.replace(END_OF_WORD, " ").strip()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that CLIPTokenizer of transformers can open, atomically.

        Raises UserError if it cannot be written, or if there are other files in it.
        """
        specials = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": self.pad_token}
        added = {self.vocabulary[token.content]: token for token in self.added}
        write_folder(path("folder", folder), self._base(), added, self.merges, specials, self.max_length)

    def _base(self):
        """The vocabulary without added tokens."""
        return {token: i for i, token in enumerate(self.tokens[:self._base_size])}

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Tokenizer:
        """Open a folder with vocab.json and merges.txt, or tokenizer.json, as in Stable Diffusion and transformers."""
        vocabulary, added, *arguments = read_folder(path("folder", folder))
        tokenizer = cls(*arguments, added.values())
        if tokenizer._base() != vocabulary:
            raise UserError(f"the vocabulary in {folder} does not follow from its merges: choose a CLIP tokenizer")
        for i, token in added.items():
            if tokenizer.vocabulary[token.content] != i:
                raise UserError(f"the added token {token.content!r} in {folder} has the id {i}, not "
                                f"{tokenizer.vocabulary[token.content]}: number added tokens without gaps")
        return tokenizer


def _merges(merges):
    """Pairs of symbols, each a byte or the result of an earlier pair."""
    pairs, symbols = [_pair(merge) for merge in items("merges", merges)], {*BASE}
    for pair in pairs:
        if not symbols.issuperset(pair):
            raise UserError(f"the merge {shown(pair)} joins what no earlier merge has made: use the merge list of a "
                            "CLIP tokenizer")
        symbols.add("".join(pair))
    return pairs


def _pair(merge):
    if isinstance(merge, str | bytes) or not fits(pair := tuple(items("a merge", merge)), tuple[str, ...]) or (
            len(pair) != 2):
        raise UserError(f"the merge {shown(merge)} is no pair of texts: use the merge list of a CLIP tokenizer")
    return pair

"""Text to token ids and back: CLIP's byte-level byte-pair encoding.

    "A red heart!"  ->  words: a, red, heart, !  ->  bytes, with </w> after the last one of each word
                    ->  merge the adjacent pair that was learned first, again and again  ->  [start, 320, ..., end]

The vocabulary holds the 256 byte symbols, the same symbols with </w>, one token per merge in the order they were
learned, start and end of text. Since it has all bytes, it can encode any text. Byte pairs come from Sennrich, Haddow &
Birch 2016 (arXiv 1508.07909), bytes as printable characters from GPT-2, </w> and the rule that splits words from CLIP.
"""

from __future__ import annotations

import heapq
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import regex

from .errors import UserError

Pair = tuple[str, str]

START, END, END_OF_WORD = "<|startoftext|>", "<|endoftext|>", "</w>"

# A run of letters, one digit, or a run of other characters; white space only separates. Special tokens are found before
# a text is lower-cased: one written in capitals is not special, but split into its three parts.
WORD = regex.compile(r"(<\|)((?:start|end)oftext)(\|>)|('s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+)")
PART = regex.compile(r"\S+")  # between white space: no word or special token goes beyond it


def byte_symbols() -> dict[int, str]:
    """byte -> a printable character: its own in Latin-1 if that is one, else the next from code point 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = sorted(set(range(256)) - set(printable))
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


SYMBOLS = byte_symbols()
BYTES = {symbol: byte for byte, symbol in SYMBOLS.items()}
BASE = [*SYMBOLS.values(), *(symbol + END_OF_WORD for symbol in SYMBOLS.values())]
MIN_VOCAB_SIZE = len(BASE) + 2


def split_words(text: str) -> list[str]:
    """The words, digits and runs of punctuation of a text without special tokens, in NFC and lower case."""
    text = unicodedata.normalize("NFC", text).replace("Σ", "σ").lower()  # alone, it turns a final Σ into ς; CLIP has σ
    return [part for parts in WORD.findall(text) for part in parts if part]


def spell(word: str) -> list[str]:
    """The UTF-8 bytes of a word as symbols, the last with </w>. Lone surrogates, not valid in UTF-8, become "?"."""
    *body, last = (SYMBOLS[byte] for byte in word.encode("utf-8", errors="replace"))
    return [*body, last + END_OF_WORD]


def merge(symbols: list[str], pair: Pair) -> list[str]:
    """`symbols` with every occurrence of the pair merged into one symbol, from left to right."""
    left, right = pair
    merged = []
    for symbol in symbols:
        if symbol == right and merged and merged[-1] == left:
            merged[-1] = left + right
        else:
            merged.append(symbol)
    return merged


def learn_merges(words: Counter[str], count: int) -> list[Pair]:
    """Up to `count` merges, each of the most frequent adjacent pair; ties go to the alphabetically first.

    A merge changes only the words that contain its pair, so only their pairs are recounted. Outdated entries stay in
    the heap; an entry is valid if its count is still that of the pair.
    """
    spelled, times = [spell(word) for word in words], [*words.values()]
    counts, change = defaultdict(int), defaultdict(int)
    words_with, heap, merges = defaultdict(set), [], []
    for i, symbols in enumerate(spelled):
        for pair in pairwise(symbols):
            change[pair] += times[i]
            words_with[pair].add(i)
    while len(merges) < count:
        for pair, difference in change.items():
            if difference:
                counts[pair] += difference
                heapq.heappush(heap, (-counts[pair], pair))
        change.clear()
        while heap and -heap[0][0] != counts[heap[0][1]]:
            heapq.heappop(heap)
        if not heap or heap[0][0] == 0:
            break
        merges.append(best := heap[0][1])
        for i in words_with.pop(best):
            before, spelled[i] = spelled[i], merge(spelled[i], best)
            for pair in pairwise(before):
                change[pair] -= times[i]
            for pair in pairwise(spelled[i]):
                change[pair] += times[i]
                words_with[pair].add(i)
    return merges


def read_folder(folder: Path) -> tuple[dict[str, int], list[Pair], int, str | None]:
    """Vocabulary, merges (only those in the vocabulary; some lists go on), maximum length and padding token."""
    def read(name):
        return json.loads((folder / name).read_text(encoding="utf-8"))
    try:
        if (folder / "vocab.json").is_file():
            vocabulary, lines = read("vocab.json"), (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
            merges = [line for line in lines if line.strip() and not line.startswith("#version")]
        else:
            vocabulary, merges = (read("tokenizer.json")["model"][key] for key in ("vocab", "merges"))
        merges = [m.split() if isinstance(m, str) else m for m in merges[:max(0, len(vocabulary) - MIN_VOCAB_SIZE)]]
        config = {"model_max_length": 77, "pad_token": None}
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            config |= read(name) if (folder / name).is_file() else {}
        # transformers writes 1e30 for an unknown length, and a token as a string or as a dictionary of its options.
        length = config["model_max_length"] if config["model_max_length"] < 1e6 else 77
        pad = config["pad_token"]["content"] if isinstance(config["pad_token"], dict) else config["pad_token"]
        return dict(vocabulary), [(left, right) for left, right in merges], length, pad
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(f"no readable tokenizer in {folder} ({type(error).__name__}: {error}): it needs vocab.json and "
                        "merges.txt, or tokenizer.json, as CLIPTokenizer writes them") from error


class Tokenizer:
    """Text <-> token ids. `merges`, in the order they were learned, determine the whole vocabulary.

    `tokenizer(texts)` pads or truncates each text to `max_length`. `pad_token` is end of text if None (as in Stable
    Diffusion 1) and "!" in Stable Diffusion 2. It is a special token, even where it occurs inside a text.
    """

    def __init__(self, merges: Iterable[Sequence[str]], max_length: int = 77, pad_token: str | None = None):
        self.merges, self.max_length, self.pad_token = list(map(tuple, merges)), max_length, pad_token or END
        self.tokens = [*BASE, *(left + right for left, right in self.merges), START, END]
        self.vocabulary = {token: i for i, token in enumerate(self.tokens)}
        if len(self.vocabulary) != len(self.tokens):
            raise UserError("two merges give the same token: use the original merge list of this tokenizer")
        if self.pad_token not in self.vocabulary:
            raise UserError(f"the padding token {pad_token!r} is not in the vocabulary: use {END!r} or '!'")
        if max_length < 2:
            raise UserError(f"max_length {max_length} leaves no room for start and end of text: use 2 or more")
        self.start_id, self.end_id, self.pad_id = (self.vocabulary[token] for token in (START, END, self.pad_token))
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._specials = regex.compile(f"({'|'.join(map(regex.escape, (START, END, self.pad_token)))})")
        self._cache: dict[str, list[int]] = {}

    def __len__(self) -> int:
        """The size of the vocabulary, special tokens included."""
        return len(self.tokens)

    @classmethod
    def train(cls, captions: Iterable[str], vocab_size: int, max_length: int = 77) -> Tokenizer:
        """Learn a vocabulary of `vocab_size` tokens, or fewer if every word of the captions becomes one token.

        The order of the captions does not matter.
        """
        if vocab_size < MIN_VOCAB_SIZE:
            raise UserError(f"a vocabulary of {vocab_size} tokens is too small: use {MIN_VOCAB_SIZE} or more")
        split = cls([])._specials.split
        parts, words = Counter(part for caption in captions for part in PART.findall(caption)), Counter()
        for part, times in parts.items():
            for word in chain.from_iterable(map(split_words, split(part)[::2])):
                words[word] += times
        return cls(learn_merges(words, vocab_size - MIN_VOCAB_SIZE), max_length)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, not truncated, between start and end of text."""
        ids = [self.start_id]
        for i, part in enumerate(self._specials.split(text)):           # text, special token, text, ..., text
            if i % 2:
                ids.append(self.vocabulary[part])
            else:
                ids += (j for word in split_words(part) for j in self._encode_word(word))
        return [*ids, self.end_id]

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._cache:
            symbols, unknown = spell(word), len(self.merges)
            while len(symbols) > 1:
                pair = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, unknown))
                if pair not in self._ranks:
                    break
                symbols = merge(symbols, pair)
            self._cache[word] = [self.vocabulary[symbol] for symbol in symbols]
        return self._cache[word]

    def __call__(self, texts: str | Sequence[str]) -> np.ndarray:
        """The token ids of N texts, padded or truncated to T = max_length; a truncated row still ends with end of text.

        N texts -> ids (N, T), int64
        """
        texts = [texts] if isinstance(texts, str) else texts
        ids = np.full((len(texts), self.max_length), self.pad_id, dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            tokens = self.encode(text)
            row[:len(tokens)] = tokens[:self.max_length]
            if len(tokens) > self.max_length:
                row[-1] = self.end_id
        return ids

    def tokens_cut(self, text: str) -> int:
        """How many tokens of a text exceed `max_length`, so that a model never sees them."""
        return max(0, len(self.encode(text)) - self.max_length)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids: words separated by spaces, no special tokens; invalid UTF-8 becomes U+FFFD."""
        ids = [int(i) for i in ids]
        if ids and not 0 <= min(ids) <= max(ids) < len(self):
            raise UserError(f"token ids must be in 0 to {len(self) - 1}, but these go from {min(ids)} to {max(ids)}")
        symbols = "".join(self.tokens[i] for i in ids if i not in (self.start_id, self.end_id, self.pad_id))
        text = bytes(BYTES[symbol] for symbol in symbols).decode("utf-8", errors="replace")
        return text.replace(END_OF_WORD, " ").strip()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that CLIPTokenizer of transformers can open."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        specials = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": self.pad_token}
        config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": self.max_length, "do_lower_case": True}
        for name, content in (("vocab.json", self.vocabulary), ("special_tokens_map.json", specials),
                              ("tokenizer_config.json", config | specials)):
            (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        lines = ["#version: 0.2", *map(" ".join, self.merges), ""]
        (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Tokenizer:
        """Open a folder with vocab.json and merges.txt, or tokenizer.json, as in Stable Diffusion and transformers."""
        vocabulary, *arguments = read_folder(Path(folder))
        tokenizer = cls(*arguments)
        if tokenizer.vocabulary != vocabulary:
            raise UserError(f"the vocabulary in {folder} does not follow from its merges: choose a CLIP tokenizer")
        return tokenizer


def train_tokenizer(captions: str | Path, folder: str | Path, vocab_size: int, max_length: int = 77) -> Tokenizer:
    """Train a tokenizer on a text file with one caption per line, and save it in `folder`."""
    try:
        lines = Path(captions).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read captions ({error}): use a UTF-8 text file with one caption per line") from error
    tokenizer = Tokenizer.train(lines, vocab_size, max_length)
    tokenizer.save_pretrained(folder)
    return tokenizer

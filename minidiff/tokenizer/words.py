"""Text to words, and words to bytes: what CLIP's tokenizer does before it merges anything.

    "A Red\theart!"  ->  a red heart!  ->  a, red, heart, !  ->  bytes, with </w> after the last one of each word
"""

from __future__ import annotations

import unicodedata

import regex

START, END, END_OF_WORD = "<|startoftext|>", "<|endoftext|>", "</w>"

# A run of letters, one digit, or a run of other characters; white space only separates. Special tokens are found before
# a text is lower-cased: one written in capitals is not special, but split into its three parts.
WORD = regex.compile(r"(<\|)((?:start|end)oftext)(\|>)|('s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+)")
SPACE = regex.compile(r"\s+")
PART = regex.compile(r"\S+")  # between white space: no word or special token goes beyond it


def byte_symbols() -> dict[int, str]:
    """byte -> a printable character: its own in Latin-1 if that is one, else the next from code point 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = sorted(set(range(256)) - set(printable))
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


SYMBOLS = byte_symbols()
BYTES = {symbol: byte for byte, symbol in SYMBOLS.items()}
BASE = [*SYMBOLS.values(), *(symbol + END_OF_WORD for symbol in SYMBOLS.values())]
MIN_VOCAB_SIZE = len(BASE) + 2  # without merges: with start and end of text


def normalized(text: str) -> str:
    """The text in NFC and lower case, with single spaces."""
    text = SPACE.sub(" ", unicodedata.normalize("NFC", text))
    return text.replace("Σ", "σ").lower()  # alone, it turns a final Σ into ς; CLIP has σ


def words_of(text: str) -> list[str]:
    """The words, digits and runs of punctuation of a normalized text without special tokens."""
    return [part for parts in WORD.findall(text) for part in parts if part]


def split_words(text: str) -> list[str]:
    """The words, digits and runs of punctuation of any text without special tokens."""
    return words_of(normalized(text))


def spell(word: str) -> list[str]:
    """The UTF-8 bytes of a word as symbols, the last with </w>. Lone surrogates, not valid in UTF-8, become "?"."""
    *body, last = (SYMBOLS[byte] for byte in word.encode("utf-8", errors="replace"))
    return [*body, last + END_OF_WORD]

"""The tokenizers that transformers uses (written in Rust), with our vocabulary or learning one of the same size."""

from __future__ import annotations

import tempfile

from transformers import CLIPTokenizer

from minidiff.tokenizer import SYMBOLS, Tokenizer, spell, split_words


def twin(ours: Tokenizer) -> CLIPTokenizer:
    """Theirs with our vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        ours.save_pretrained(folder)
        return CLIPTokenizer.from_pretrained(folder)


def size_with_as_many_merges(ours: Tokenizer, texts: list[str]) -> int:
    """The size of their vocabulary, which has no tokens for ends of words that do not occur in the texts."""
    ends = {spell(word)[-1] for text in texts for word in split_words(text)}
    return len(ours) - len(SYMBOLS) + len(ends)

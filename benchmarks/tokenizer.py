"""Learning a vocabulary and encoding texts, beside the tokenizers that transformers uses (written in Rust)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minidiff
from minidiff.data.scenes import draw_scene
from minidiff.tokenizer import SYMBOLS, Tokenizer, spell, split_words

from .checks import Different
from .rows import row
from .timing import interleaved

SIZES = {"tiny": (50, 600), "small": (4_000, 1_024), "large": (40_000, 8_192)}  # captions, vocabulary


def measure(sizes: Sequence[str] = ("small", "large"), rounds: int = 5, pause: float = 0.1) -> Iterator[dict]:
    for size in sizes:
        yield from measure_size(size, rounds, pause)


def measure_size(size, rounds, pause) -> Iterator[dict]:
    count, vocabulary = SIZES[size]
    texts = texts_of(count)
    ours = Tokenizer.train(texts, vocabulary)
    runs = {"minidiff": lambda: Tokenizer.train(texts, vocabulary)}
    theirs = their_tokenizer(ours)
    if theirs is not None:
        # They have no tokens for ends of words that do not occur.
        their_size = len(ours) - len(SYMBOLS) + len({spell(word)[-1] for text in texts for word in split_words(text)})
        learned = theirs.train_new_from_iterator(texts, their_size, show_progress=False)
        counts = [sum(len(ids) for ids in encoded) for encoded in (map(ours.encode, texts), learned(texts).input_ids)]
        if abs(counts[0] - counts[1]) > 0.05 * counts[0]:  # equal pairs are ranked otherwise, so not the same
            raise Different(f"vocabularies of {vocabulary}: texts are {counts[0]} and {counts[1]} tokens")
        runs["tokenizers"] = lambda: theirs.train_new_from_iterator(texts, their_size, show_progress=False)
    detail = f"{size}: {len(texts)} texts, {count} of them captions"
    yield row("tokenizer, training", f"{detail}, vocabulary {len(ours)}", interleaved(runs, rounds, pause))

    def encode_fresh():
        tokenizer = Tokenizer(ours.merges)  # without the words that it remembers
        return [tokenizer.encode(text) for text in texts]

    runs, tokens = {"minidiff": lambda: [ours.encode(text) for text in texts]}, sum(map(len, encode_fresh()))
    if theirs is not None:
        if theirs(texts).input_ids != encode_fresh():
            raise Different("the tokens of the two differ")
        runs["tokenizers"] = lambda: theirs(texts)
    times = interleaved(runs, rounds, pause)
    yield row("tokenizer, encoding", detail, times, tokens=tokens) | {
        "a second": {name: tokens / time.median for name, time in times.items()}}
    yield row("tokenizer, encoding with nothing remembered", detail,
              interleaved({"minidiff": encode_fresh}, rounds, pause), tokens=tokens)


def texts_of(count: int) -> list[str]:
    """Captions of the built-in scenes, and source code for words that are not repeated."""
    rng = np.random.default_rng(0)
    sources = sorted(Path(minidiff.__file__).parent.rglob("*.py")) if count > 1000 else []
    return [draw_scene(rng).caption for _ in range(count)] + [
        line for source in sources for line in source.read_text("utf-8").splitlines()]


def their_tokenizer(ours: Tokenizer):
    """transformers' CLIPTokenizer with our vocabulary; None where it is not installed."""
    if find_spec("transformers") is None:
        return None
    from transformers import CLIPTokenizer

    with tempfile.TemporaryDirectory() as folder:
        ours.save_pretrained(folder)
        return CLIPTokenizer.from_pretrained(folder)

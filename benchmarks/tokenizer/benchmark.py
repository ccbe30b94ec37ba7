"""Learning a vocabulary and encoding texts, compared with the tokenizers that transformers uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import minidiff
from minidiff.data.scenes import draw_scene
from minidiff.tokenizer import Tokenizer

from ..measure.checks import Different
from ..measure.packages import installed
from ..measure.rows import row
from ..measure.timing import interleaved

SIZES = {"tiny": (50, 600), "small": (4_000, 1_024), "large": (40_000, 8_192)}  # captions, vocabulary


def measure(sizes: Sequence[str] = ("small", "large"), rounds: int = 5, pause: float = 0.1) -> Iterator[dict]:
    for size in sizes:
        count, vocabulary = SIZES[size]
        texts = texts_of(count)
        detail = f"{size}: {len(texts)} texts, {count} of them captions"
        ours = Tokenizer.train(texts, vocabulary)
        yield measure_training(ours, texts, vocabulary, detail, rounds, pause)
        yield from measure_encoding(ours, texts, detail, rounds, pause)


def measure_training(ours, texts, vocabulary, detail, rounds, pause) -> dict:
    runs = {"minidiff": lambda: Tokenizer.train(texts, vocabulary)}
    if installed("transformers"):
        from .peers import size_with_as_many_merges, twin

        theirs, their_size = twin(ours), size_with_as_many_merges(ours, texts)

        def train():
            return theirs.train_new_from_iterator(texts, their_size, show_progress=False)

        counts = [sum(map(len, encoded)) for encoded in (map(ours.encode, texts), train()(texts).input_ids)]
        if abs(counts[0] - counts[1]) > 0.05 * counts[0]:  # pairs of equal count are ranked otherwise: not the same
            raise Different(f"vocabularies of {vocabulary}: texts are {counts[0]} and {counts[1]} tokens")
        runs["tokenizers"] = train
    return row("tokenizer, training", f"{detail}, vocabulary {len(ours)}", interleaved(runs, rounds, pause))


def measure_encoding(ours, texts, detail, rounds, pause) -> Iterator[dict]:
    def encode_fresh():
        tokenizer = Tokenizer(ours.merges)  # without the words that it remembers
        return [tokenizer.encode(text) for text in texts]

    runs, tokens = {"minidiff": lambda: [ours.encode(text) for text in texts]}, sum(map(len, encode_fresh()))
    if installed("transformers"):
        from .peers import twin

        theirs = twin(ours)
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

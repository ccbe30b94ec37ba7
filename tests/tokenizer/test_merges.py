"""Claims about merges: which are learned, in which order they are applied, and how fast."""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidiff.errors import UserError
from minidiff.tokenizer import Tokenizer, learn_merges, merge, spell
from minidiff.tokenizer import tokenizer as module

quick = settings(max_examples=50, deadline=None)
words = st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 5), min_size=1, max_size=8)


def learn_merges_slowly(words, count):
    """The definition: count all pairs, join the most frequent one, begin again."""
    spelled, merges = {word: spell(word) for word in words}, []
    while len(merges) < count:
        counts = Counter()
        for word, symbols in spelled.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        spelled = {word: merge(symbols, merges[-1]) for word, symbols in spelled.items()}
    return merges


@quick
@given(words, st.integers(0, 30))
def test_incremental_training_equals_counting_anew(words, count):
    assert learn_merges(Counter(words), count) == learn_merges_slowly(words, count)


def test_earlier_merges_come_first_and_run_from_left_to_right():
    tokenizer = Tokenizer([("b", "c"), ("a", "b"), ("d", "d"), ("a", "bc")])
    spelled = [tokenizer.tokens[i] for i in tokenizer.encode("abcdddx")[1:-1]]
    assert spelled == ["abc", "dd", "d", "x</w>"]


@quick
@given(words, st.text("abc", min_size=1, max_size=60))
def test_a_word_is_merged_by_one_merge_after_the_other(words, word):
    tokenizer = Tokenizer(learn_merges(Counter(words), 30))
    for one in (word, *words):
        *_, symbols = tokenizer.merging(one)
        assert [tokenizer.tokens[i] for i in tokenizer.encode(one)[1:-1]] == symbols


def test_a_word_of_100000_letters_takes_no_time():
    letters = random.Random(0)
    words = Counter("".join(letters.choices("abcdefgh", k=8)) for _ in range(1000))
    tokenizer, word = Tokenizer(learn_merges(words, 2000)), "".join(letters.choices("abcdefgh", k=100_000))
    start = time.monotonic()
    assert 20_000 < len(tokenizer.encode(word)) < 50_000
    assert time.monotonic() - start < 3


def test_the_ids_of_few_and_short_words_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    tokenizer = Tokenizer([])
    for text in ("a " + "b" * 100, "c d e f"):
        assert tokenizer.encode(text) == tokenizer.encode(text)
    assert [*tokenizer._cache] == ["a", "c", "d"]


@pytest.mark.parametrize("pair", [("a b", "c"), ("", "x"), ("\ud800", "b"), ("ab", "c"), ("a", "bc"), ("é", "</w>")])
def test_a_merge_joins_bytes_and_the_results_of_earlier_merges(pair):
    with pytest.raises(UserError, match="joins what no earlier merge has made"):
        Tokenizer([pair, ("a", "b"), ("b", "c")])

"""Byte-pair encoding: the most frequent pair of neighbours becomes one symbol, again and again (arXiv 1508.07909)."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from itertools import pairwise

from .words import spell

Pair = tuple[str, str]


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


def merge_all(symbols: list[str], ranks: dict[Pair, int]) -> list[str]:
    """`symbols` after the merges of all pairs that have a rank: the pair of the lowest rank first, from left to right.

    Merging them one rank after the other, by `merge`, gives the same in O(n) for each rank; here it is O(n log n) in
    all. A heap holds the pairs, each by the place of its left symbol. A merge leaves "" at the place of the right one,
    and new pairs on both sides; an entry of the heap is outdated if its pair has another rank by then, or none.
    """
    symbols = [*symbols, ""]  # "", in no pair that has a rank, ends the word on both sides: symbols[-1]
    before, after = [*range(-1, len(symbols) - 1)], [*range(1, len(symbols)), 0]
    heap = [(ranks[pair], left) for left, pair in enumerate(pairwise(symbols)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        rank, left = heapq.heappop(heap)
        right = after[left]
        if ranks.get((symbols[left], symbols[right])) != rank:
            continue
        symbols[left], symbols[right] = symbols[left] + symbols[right], ""
        after[left] = after[right]
        before[after[right]] = left
        for place in (before[left], left):
            if (pair := (symbols[place], symbols[after[place]])) in ranks:
                heapq.heappush(heap, (ranks[pair], place))
    return [symbol for symbol in symbols if symbol]


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

"""Byte-pair encoding: merges learned from a sentence or two, words encoded by them, text as bytes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from ...tokenizer import learn_merges, merge, spell, split_words
from ..canvas import BLUE, GREEN, INK, ORANGE, PAPER, SOFT, Canvas, blend

TEXT = ("I don't know and I don't care. She sells sea shells; the shells she sells are sea shells, "
        "so she sells the shells on the sea shore. We won't, can't, shan't.")
LEARNED, SHOWN = 24, 13  # merges
ENCODED = ("Don't", "shells", "shore")
ROW = 27


def figure():
    canvas = Canvas(980, 468)
    words = Counter(split_words(TEXT))
    merges = learn_merges(words, LEARNED)
    learning(canvas, words, merges, 24)
    encoding(canvas, merges, 368)
    raw_bytes(canvas, 766)
    return canvas.finished()


def chip(canvas, x, y, symbol, colour=BLUE):
    """A symbol in a box from x on, with a dot for the end of a word; returns where the box ends."""
    text = symbol.removesuffix("</w>")
    ends = text != symbol
    width = 12 + 7.2 * len(text) + 6 * ends
    canvas.box(x, y - 10, x + width, y + 10, blend(colour, PAPER, 0.85), colour, 4, 1)
    canvas.text((x + width / 2 - 3 * ends, y), text, INK, 13)
    if ends:
        canvas.dot((x + width - 7, y + 4), colour, 2)
    return x + width


def learning(canvas, words, merges, left):
    """The first merges, with how often their pair occurs when it is chosen."""
    canvas.text((left, 22), "learning: the most frequent pair", INK, 15, "lm")
    canvas.text((left, 42), "of neighbours becomes a symbol", INK, 15, "lm")
    spelled = {word: spell(word) for word in words}
    for rank, pair in enumerate(merges[:SHOWN]):
        y = 76 + ROW * rank
        times = sum(number for word, number in words.items() for both in pairwise(spelled[word]) if both == pair)
        canvas.text((left + 16, y), str(rank), SOFT, 12, "rm")
        x = chip(canvas, left + 30, y, pair[0])
        x = chip(canvas, x + 5, y, pair[1])
        canvas.arrow((left + 142, y), (left + 162, y), SOFT, 1.5, 7)
        chip(canvas, left + 170, y, "".join(pair), GREEN)
        canvas.text((left + 290, y), f"{times} times", SOFT, 12, "rm")
        spelled = {word: merge(symbols, pair) for word, symbols in spelled.items()}
    canvas.text((left, 78 + ROW * SHOWN), f"... up to {LEARNED}; a dot marks the end of a word", SOFT, 12, "lm")


def encoding(canvas, merges, left):
    """Words, each from its bytes to its tokens: in every row the pair that was learned first is merged."""
    canvas.text((left, 22), "encoding: of the pairs in a word, merge the one", INK, 15, "lm")
    canvas.text((left, 42), "that was learned first, again and again", INK, 15, "lm")
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    y = 76
    for text in ENCODED:
        for word in split_words(text):
            for symbols, pair in replay(spell(word), ranks):
                draw_row(canvas, left, y, symbols, pair, ranks)
                y += ROW
            y += 7


def replay(symbols, ranks):
    """Yields the symbols of a word before each merge with the pair to be merged; at the end with None."""
    while True:
        pairs = [pair for pair in pairwise(symbols) if pair in ranks]
        pair = min(pairs, key=ranks.get, default=None)
        yield symbols, pair
        if pair is None:
            return
        symbols = merge(symbols, pair)


def draw_row(canvas, left, y, symbols, pair, ranks):
    x, i = left, 0
    while i < len(symbols):
        chosen = pair is not None and tuple(symbols[i:i + 2]) == pair
        for symbol in symbols[i:i + 1 + chosen]:
            x = chip(canvas, x, y, symbol, ORANGE if chosen else GREEN if pair is None else BLUE) + 5
        i += 1 + chosen
    if pair is None:
        canvas.text((left + 330, y), f"{len(symbols)} token{'s' * (len(symbols) > 1)}", GREEN, 12, "rm")
    else:
        canvas.text((left + 330, y), f"merge {ranks[pair]}", ORANGE, 12, "rm")


def raw_bytes(canvas, left):
    """UTF-8: letters of one byte, and of two."""
    canvas.text((left, 22), "any text is bytes, and all", INK, 15, "lm")
    canvas.text((left, 42), "256 bytes are tokens", INK, 15, "lm")
    for i, letter in enumerate("naïveté"):
        y = 76 + ROW * i
        chip(canvas, left, y, letter if letter.isascii() else f"U+{ord(letter):02X}")
        canvas.arrow((left + 52, y), (left + 72, y), SOFT, 1.5, 7)
        x = left + 80
        for byte in letter.encode():
            x = chip(canvas, x, y, f"{byte:02X}", GREEN) + 5
    lines = ("i with two dots, e with an", "accent: two bytes each", "", "So no word is unknown;",
             "a rare one is several tokens.")
    for i, line in enumerate(lines):
        canvas.text((left, 76 + ROW * 7 + 17 * i), line, SOFT, 12, "lm")

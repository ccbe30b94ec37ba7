"""The tokenizer is CLIPTokenizer, on whatever text: MINIDIFF_FULL=1 draws 100,000 of them instead of 3,000."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from tokenizers.normalizers import NFC
from transformers import CLIPTokenizer

import minidiff
from minidiff.data.scenes import draw_scene
from minidiff.tokenizer import END, START, AddedToken, Tokenizer

COUNT = 100_000 if os.environ.get("MINIDIFF_FULL") == "1" else 3_000
SOURCES = [path.read_text("utf-8") for path in sorted(Path(minidiff.__file__).parent.rglob("*.py"))]


def same_unicode(letter):
    """Assigned, and a combining mark sorts among others as in Python: their normaliser is of an older Unicode."""
    among_marks = f"\u0345{letter}\u0334"
    return (unicodedata.category(letter) not in ("Cn", "Cs", "Co")
            and NFC().normalize_str(among_marks) == unicodedata.normalize("NFC", among_marks))


ASSIGNED = list(filter(same_unicode, map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1)))))
EMOJI = [*map(chr, range(0x1F300, 0x1F650)), "👩‍🚀", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️"]
SPACES = [letter for letter in ASSIGNED if letter.isspace()] + ["\u200b", "\ufeff", "\u2060"]
TRAPS = ["Σ", "ς", "İ", "ſ", "ß", "e\u0301", "\u0344", "Å", "ﬁ", "½", "²", "٣", "Ⅷ", "한", "\u1112\u1161", "'s",
         "'LL", "’s", "'re", START, END, START.upper(), "<|", "|>", "!", "<b>&amp;</b>", "\x00", "\x1c", "\x85",
         "\u1e9b\u0323"]


def draw_text(rng):
    """A few pieces of one kind or of several: letters of all scripts, emoji, code, white space, words, traps."""
    kinds = [lambda: pick(rng, ASSIGNED), lambda: pick(rng, EMOJI), lambda: pick(rng, SPACES),
             lambda: pick(rng, TRAPS), lambda: chr(rng.integers(32, 127)), lambda: draw_code(rng),
             lambda: draw_scene(rng).caption, lambda: "".join(pick(rng, ASSIGNED) for _ in range(8))]
    chosen = [pick(rng, kinds) for _ in range(rng.integers(1, 4))]
    return "".join(pick(rng, chosen)() for _ in range(rng.integers(1, 12)))


def draw_code(rng):
    source = pick(rng, SOURCES)
    start = rng.integers(len(source))
    return source[start : start + rng.integers(1, 40)]


def pick(rng, things):
    return things[rng.integers(len(things))]


@pytest.fixture(scope="module", params=[None, "!"], ids=["SD 1", "SD 2"])
def both(request, tmp_path_factory):
    """Ours, trained on code and captions, and theirs, opened from the folder that ours writes."""
    rng = np.random.default_rng(0)
    texts = [*"".join(SOURCES).splitlines(), *(draw_scene(rng).caption for _ in range(200))]
    ours = Tokenizer(Tokenizer.train(texts, 2000).merges, pad_token=request.param)
    folder = tmp_path_factory.mktemp("tokenizer")
    ours.save_pretrained(folder)
    return ours, CLIPTokenizer.from_pretrained(folder)


def test_every_text_has_the_same_tokens(both):
    ours, theirs = both
    rng = np.random.default_rng(1)
    texts = ["", *(draw_text(rng) for _ in range(COUNT))]
    different = [text for text, ids in zip(texts, theirs(texts).input_ids, strict=True) if ours.encode(text) != ids]
    assert different == []


def test_rows_are_padded_and_cut_alike(both):
    ours, theirs = both
    rng = np.random.default_rng(2)
    texts = ["", *(draw_text(rng) for _ in range(200)), "a red heart " * 40]
    expected = theirs(texts, padding="max_length", truncation=True).input_ids
    assert ours(texts).tolist() == expected


def test_their_folder_opens_as_ours(both, tmp_path):
    ours, theirs = both
    theirs.save_pretrained(tmp_path)
    opened = Tokenizer.from_pretrained(tmp_path)
    assert (opened.merges, opened.pad_id, opened.max_length) == (ours.merges, ours.pad_id, ours.max_length)


ADDED = [AddedToken("<cat-toy>"), AddedToken("a traffic light", True), AddedToken("A Cat", True, True),
         AddedToken("word", single_word=True), AddedToken("Ångström", True, rstrip=True), AddedToken(START, True),
         AddedToken("red", True, True), AddedToken("redder", True, True), AddedToken("<b>", lstrip=True, rstrip=True),
         AddedToken("'s", True, lstrip=True), AddedToken(" foo", True), AddedToken(" -", True), AddedToken("word ")]
AROUND = ["<cat-toy>", "<CAT-TOY>", "A  traffic light", "a cat", "a\tCAT", "word", "Word", "redder", "red",
          "A\u030angstro\u0308m", "s", "_", "9", "é", "\u0301", "'", "-", " ", "\n", "·", "ª", "\u200d", "a", START,
          START.upper(), END, "<b>", "'s", "foo", "Ångström", "  "]


@pytest.mark.parametrize("form", ["added_tokens_decoder", "added_tokens.json", "tokenizer.json"])
def test_added_tokens_are_theirs_too(both, tmp_path, form):
    ours, _ = both
    rng = np.random.default_rng(3)
    if form == "added_tokens.json":  # which has no flags: all are found in normalized text, but for special ones
        folder, texts = tmp_path / "ours", [token.content for token in ADDED if token.content != START]
        Tokenizer(ours.merges, pad_token=ours.pad_token).save_pretrained(folder)
        (folder / form).write_text(json.dumps({text: len(ours) + i for i, text in enumerate(texts)}), "utf-8")
    else:
        folder = tmp_path / "ours"
        Tokenizer(ours.merges, 77, ours.pad_token, ADDED).save_pretrained(folder)
    theirs = CLIPTokenizer.from_pretrained(folder)
    if form == "tokenizer.json":
        folder = tmp_path / "theirs"
        theirs.save_pretrained(folder)
    opened = Tokenizer.from_pretrained(folder)
    texts = ["".join(pick(rng, AROUND) for _ in range(rng.integers(1, 7))) for _ in range(2000)]
    different = [text for text, ids in zip(texts, theirs(texts).input_ids, strict=True) if opened.encode(text) != ids]
    assert different == []
    assert len(opened) == len(theirs)

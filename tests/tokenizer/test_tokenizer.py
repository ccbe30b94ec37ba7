"""Claims about the byte-pair tokenizer: it loses nothing, learns what it should, and stores itself in CLIP's files."""

from __future__ import annotations

import json
import unicodedata
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minidiff.errors import UserError
from minidiff.tokenizer import BASE, END, START, Tokenizer, split_words
from minidiff.tokenizer.files import read_captions
from minidiff.tokenizer.words import PART

COLOURS = ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"]
SHAPES = ["circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond"]
PLACES = ["above", "below", "left of", "right of"]
CAPTIONS = [f"a small {colour} {shape} {place} a {COLOURS[i % 8]} {shape} on a {ground} background"
            for i, (colour, shape, place, ground) in enumerate(product(COLOURS, SHAPES, PLACES, ["white", "black"]))]
CAPTION = "a small red heart above a blue square on a white background"
SCENES = Tokenizer.train(CAPTIONS, 1000, max_length=20)

quick = settings(max_examples=50, deadline=None)
letters = st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("aA 's<|>!Σİé\u0301\n\x1c\u3000ſ🙂"))
texts = st.text(letters, max_size=30).filter(lambda text: START not in text and END not in text)


def bare(text):
    """What survives encoding: NFC, lower case letter by letter, no white space."""
    return "".join("".join(letter.lower() for letter in unicodedata.normalize("NFC", text)).split())


@quick
@given(texts)
def test_decoding_gives_the_text_back_up_to_case_and_white_space(text):
    for tokenizer in (SCENES, Tokenizer([])):
        assert bare(tokenizer.decode(tokenizer.encode(text))) == bare(text)


@quick
@given(texts, texts)
def test_special_tokens_inside_a_text_are_one_token_and_are_not_decoded(before, after):
    ids = SCENES.encode(before + END + after)
    assert ids == SCENES.encode(before) + SCENES.encode(after)[1:]
    assert bare(SCENES.decode(ids)) == bare(before) + bare(after)


@pytest.mark.parametrize("text, expected", [
    ("A Red\t\n heart", ["a", "red", "heart"]),
    ("it's DON'T we'll", ["it", "'s", "don", "'t", "we", "'ll"]),
    ("12 a1b", ["1", "2", "a", "1", "b"]),
    ("wow!!! ...(ok)", ["wow", "!!!", "...(", "ok", ")"]),
    ("\x1ca\x85b\u200bc", ["\x1c", "a", "b", "\u200b", "c"]),
    ("ΟΔΟΣ İ e\u0301", ["οδοσ", "i", "\u0307", "\u00e9"]),
    ("'ſ", ["'", "ſ"]),
    ("<|STARTOFTEXT|>!", ["<|", "startoftext", "|>", "!"]),
    ("!<|ENDOFTEXT|>!", ["!<|", "endoftext", "|>!"]),
    (" \u3000", []),
])
def test_words_split_as_clip_splits_them(text, expected):
    assert split_words(text) == expected


@quick
@given(texts)
def test_no_word_reaches_across_white_space(text):
    assert [word for part in PART.findall(text) for word in split_words(part)] == split_words(text)


def test_vocabulary_is_bytes_then_word_ends_then_merges_then_specials():
    tokenizer = Tokenizer([("a", "b</w>"), ("c", "ab</w>")])
    assert len(tokenizer) == 516
    assert tokenizer.tokens[:3] == ["!", '"', "#"]
    assert tokenizer.tokens[188:190] == ["Ā", "ā"]                       # bytes 0 and 1, the first without a letter
    assert [tokenizer.vocabulary[token] for token in ("a", "a</w>", "ab</w>", START, END)] == [64, 320, 512, 514, 515]
    assert tokenizer.encode("ab CAB b\x00") == [514, 512, 513, 321, 188 + 256, 515]


def test_scene_captions_take_one_token_a_word():
    ids = SCENES.encode(CAPTION)
    assert len(ids) == len(CAPTION.split()) + 2
    assert [SCENES.tokens[i] for i in ids[1:-1]] == [word + "</w>" for word in CAPTION.split()]
    assert SCENES.decode(ids) == CAPTION


@quick
@given(st.lists(texts, max_size=6), st.randoms(use_true_random=False))
def test_training_depends_on_the_captions_and_not_on_their_order(captions, random):
    shuffled = random.sample(captions, len(captions))
    assert Tokenizer.train(captions, 560).merges == Tokenizer.train(shuffled, 560).merges


def test_training_stops_at_the_vocabulary_size_or_when_all_words_are_tokens():
    assert len(Tokenizer.train(CAPTIONS, 550)) == 550
    assert Tokenizer.train(CAPTIONS, 550).merges == SCENES.merges[:550 - 514]
    assert len(SCENES) < 1000
    assert len(Tokenizer.train([], 600)) == 514


def test_training_leaves_special_tokens_out():
    assert Tokenizer.train([f"{START}ab{END}"], 600).merges == [("a", "b</w>")]


@quick
@given(st.lists(texts, max_size=5))
def test_the_word_cache_changes_nothing(texts):
    warm = Tokenizer(SCENES.merges)
    first = [warm.encode(text) for text in texts]
    assert first == [warm.encode(text) for text in texts] == [Tokenizer(SCENES.merges).encode(text) for text in texts]


@quick
@given(st.lists(texts, max_size=4), st.integers(2, 12), st.sampled_from([None, "!"]))
def test_rows_are_padded_or_cut_with_end_of_text_last(texts, length, pad):
    tokenizer = Tokenizer(SCENES.merges, length, pad)
    ids = tokenizer(texts)
    assert ids.shape == (len(texts), length) and ids.dtype == np.int64
    for row, text in zip(ids, texts, strict=True):
        tokens = tokenizer.encode(text)
        cut = tokenizer.tokens_cut(text)
        assert cut == max(0, len(tokens) - length)
        kept = tokens if cut == 0 else [*tokens[:length - 1], tokenizer.end_id]
        assert_array_equal(row, kept + [tokenizer.pad_id] * (length - len(kept)))


def test_a_single_text_is_a_batch_of_one():
    assert_array_equal(SCENES(CAPTION), SCENES([CAPTION]))


def test_the_padding_token_is_special_inside_a_text_too():
    tokenizer = Tokenizer([], pad_token="!")
    assert tokenizer.encode("a!!") == [512, 320, 0, 0, 513]
    assert tokenizer.decode([512, 320, 513, 0, 0]) == "a"
    assert Tokenizer([]).encode("a!")[2] == 256


def test_lone_surrogates_and_broken_bytes_do_not_stop_anything():
    assert SCENES.decode(SCENES.encode("a \ud800")) == "a ?"
    assert Tokenizer([]).decode([SCENES.vocabulary["Ã"]]) == "\ufffd"


@pytest.mark.parametrize("pad", [None, "!"])
def test_a_saved_tokenizer_opens_as_the_same(tmp_path, pad):
    version = [("#version"[:end], "#version"[end]) for end in range(1, 8)]
    tokenizer = Tokenizer([*SCENES.merges, *version, ("#version", "b</w>"), ("Ã", "©</w>")], 33, pad)
    tokenizer.save_pretrained(tmp_path / "new" / "tokenizer")
    opened = Tokenizer.from_pretrained(tmp_path / "new" / "tokenizer")
    assert (opened.tokens, opened.merges) == (tokenizer.tokens, tokenizer.merges)
    assert (opened.max_length, opened.pad_id) == (33, tokenizer.pad_id)


@pytest.mark.parametrize("as_text", [True, False])
def test_tokenizer_json_opens_where_there_is_no_merge_file(tmp_path, as_text):
    merges = [" ".join(pair) if as_text else list(pair) for pair in SCENES.merges]
    model = {"type": "BPE", "vocab": SCENES.vocabulary, "merges": merges}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    pad = {"pad_token": {"content": "!", "special": True}, "model_max_length": 1e30}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(pad), encoding="utf-8")
    opened = Tokenizer.from_pretrained(tmp_path)
    assert opened.tokens == SCENES.tokens
    assert (opened.max_length, opened.pad_id) == (77, 0)


def test_captions_are_the_lines_of_a_text_file(tmp_path):
    (tmp_path / "captions.txt").write_bytes("\ufeffa red\x0cheart\r\n\na\x1cb\u2028c\x85d\n".encode())
    assert read_captions(tmp_path / "captions.txt") == ["a red\x0cheart", "", "a\x1cb\u2028c\x85d"]


def test_merges_beyond_the_vocabulary_are_left_out(tmp_path):
    SCENES.save_pretrained(tmp_path)
    with open(tmp_path / "merges.txt", "a", encoding="utf-8") as file:
        file.write("x y\nxy z\n")
    assert Tokenizer.from_pretrained(tmp_path).merges == SCENES.merges


@pytest.mark.parametrize("name, content", [
    ("vocab.json", None),
    ("vocab.json", "{"),
    ("vocab.json", "[]"),
    ("vocab.json", json.dumps({token: i for i, token in enumerate(reversed(SCENES.tokens))})),
    ("vocab.json", json.dumps({token: i for i, token in enumerate([*BASE, START, END, "new"])})),
    ("merges.txt", None),
    ("merges.txt", "#version: 0.2\na b c\n"),
    ("merges.txt", "#version: 0.2\na b\n"),
    ("merges.txt", "a b\n" * len(SCENES.merges)),
    ("merges.txt", b"\xff\xfe"),
    ("tokenizer_config.json", "[1]"),
    ("tokenizer_config.json", '{"model_max_length": "long"}'),
    ("tokenizer_config.json", '{"model_max_length": 1}'),
    ("special_tokens_map.json", '{"pad_token": "[PAD]"}'),
    ("special_tokens_map.json", '{"pad_token": {}}'),
])
def test_missing_or_broken_files_give_one_clear_line(tmp_path, name, content):
    SCENES.save_pretrained(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        Tokenizer.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_ids_and_vocabulary_sizes_out_of_range_are_refused():
    with pytest.raises(UserError, match="0 to 513"):
        Tokenizer([]).decode([1, 514])
    with pytest.raises(UserError, match="0 to 513"):
        Tokenizer([]).decode([-1])
    with pytest.raises(UserError, match="514 or more"):
        Tokenizer.train(CAPTIONS, 513)


def test_a_tokenizer_is_not_saved_over_a_file(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"cannot write .*notes\.txt \(Not a directory\)"):
        SCENES.save_pretrained(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_tokenizer_that_could_not_be_written_keeps_the_old_one(tmp_path, monkeypatch):
    def full_disk(path, text, **_):
        if path.name == "merges.txt":
            raise OSError(28, "No space left on device")
        path.write_bytes(text.encode())

    Tokenizer([]).save_pretrained(tmp_path / "tokenizer")
    monkeypatch.setattr(Path, "write_text", full_disk)
    for name in ("tokenizer", "new"):
        with pytest.raises(UserError, match="No space left on device"):
            SCENES.save_pretrained(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer"]
    assert len(Tokenizer.from_pretrained(tmp_path / "tokenizer")) == len(Tokenizer([]))

"""Tokens that were added to a vocabulary: where they are found, how they are stored, and what is refused."""

from __future__ import annotations

import json

import pytest

from minidiff.errors import UserError
from minidiff.tokenizer import END, START, AddedToken, Tokenizer, spell
from minidiff.tokenizer.files import CONFIG, SPECIALS

TOY, LIGHT, CAT = AddedToken("<cat-toy>"), AddedToken("A traffic light", normalized=True), AddedToken(
    "a cat", normalized=True, single_word=True)
ADDED = Tokenizer(Tokenizer.train(["a cat", "on a red box"], 600).merges, added=[TOY, LIGHT, CAT])
FIRST = len(ADDED) - 3


def tokens(text, tokenizer=ADDED):
    return [tokenizer.tokens[i] for i in tokenizer.encode(text)[1:-1]]


@pytest.mark.parametrize("text, expected", [
    ("a <cat-toy> on a box", ["a</w>", "<cat-toy>", "on</w>", "a</w>", "box</w>"]),
    ("<cat-toy><cat-toy>", ["<cat-toy>"] * 2),
    ("a  Traffic\tlight!", ["A traffic light", "!</w>"]),
    ("a cat, a CAT", ["a cat", ",</w>", "a cat"]),
    ("a cats", ["a</w>", "c", "a", "t", "s</w>"]),
    ("la cat", ["l", "a</w>", "cat</w>"]),
    ("a cat9", ["a</w>", "cat</w>", "9</w>"]),
    ("a cat_", ["a</w>", "cat</w>", "_</w>"]),
    ("a cat\u0301", ["a</w>", "cat</w>", *spell("\u0301")]),
])
def test_an_added_token_is_one_token_where_its_flags_say(text, expected):
    assert tokens(text) == expected


def test_a_token_that_is_found_as_written_is_not_found_in_capitals():
    assert "<cat-toy>" not in tokens("<CAT-TOY>")


def test_of_several_tokens_at_one_place_the_longest_is_found():
    tokenizer = Tokenizer([], added=[AddedToken("<a>"), AddedToken("<a>b"), AddedToken("c")])
    assert tokens("<a>bc<a>", tokenizer) == ["<a>b", "c", "<a>"]


def test_of_several_tokens_with_one_normalized_text_the_first_is_found():
    tokenizer = Tokenizer([], added=[AddedToken("B", normalized=True), AddedToken("b", normalized=True)])
    assert tokens("b B", tokenizer) == ["B", "B"]


@pytest.mark.parametrize("flags, expected", [
    ([], ["x ", "<a>", " y"]), (["rstrip"], ["x ", "<a>", "y</w>"]), (["lstrip"], ["x</w>", "<a>", " y"]),
    (["lstrip", "rstrip"], ["x</w>", "<a>", "y</w>"])])
def test_a_token_takes_white_space_along_where_its_flags_say(flags, expected):
    others = [AddedToken(one, normalized=True) for one in ("x ", " y")]
    tokenizer = Tokenizer([], added=[AddedToken("<a>", **dict.fromkeys(flags, True)), *others])
    assert tokens("x \t<a>\n y", tokenizer) == expected
    assert tokens("<a>  <a>", tokenizer) == ["<a>", "<a>"]


def test_added_tokens_are_numbered_after_all_others_and_decoded():
    assert ADDED.encode("<cat-toy> a traffic light")[1:-1] == [FIRST, FIRST + 1]
    assert len(ADDED) == FIRST + 3
    assert ADDED.decode(ADDED.encode("box <cat-toy> on a cat")) == "box <cat-toy> on a cat"


def test_a_saved_tokenizer_keeps_its_added_tokens(tmp_path):
    ADDED.save_pretrained(tmp_path)
    opened = Tokenizer.from_pretrained(tmp_path)
    assert (opened.tokens, opened.added) == (ADDED.tokens, ADDED.added)


def test_added_tokens_json_holds_tokens_of_normalized_text(tmp_path):
    Tokenizer(ADDED.merges).save_pretrained(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"two": FIRST + 1, "<ONE>": FIRST}), encoding="utf-8")
    opened = Tokenizer.from_pretrained(tmp_path)
    assert opened.encode("<one> Two")[1:-1] == [FIRST, FIRST + 1]


def test_tokenizer_json_beside_other_files_holds_added_tokens(tmp_path):
    Tokenizer(ADDED.merges).save_pretrained(tmp_path)
    one = AddedToken("<one>", single_word=True, rstrip=True)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": FIRST, **one._asdict()}]}), "utf-8")
    assert Tokenizer.from_pretrained(tmp_path).added == (one,)


def test_saved_files_say_which_tokens_are_special(tmp_path):
    Tokenizer(ADDED.merges, pad_token="!", added=[TOY, AddedToken("!")]).save_pretrained(tmp_path)
    config, specials = (json.loads((tmp_path / name).read_text("utf-8")) for name in (CONFIG, SPECIALS))
    assert {token["content"]: token["special"] for token in config["added_tokens_decoder"].values()} == {
        "<cat-toy>": False, "!": True}
    assert specials == {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": "!"}


def test_a_map_of_special_tokens_beside_newer_files_is_not_read(tmp_path):
    ADDED.save_pretrained(tmp_path)
    (tmp_path / SPECIALS).write_text(json.dumps({"pad_token": "!"}), "utf-8")
    assert Tokenizer.from_pretrained(tmp_path).pad_token == END


def test_a_token_of_the_vocabulary_can_be_made_a_whole_one(tmp_path):
    tokenizer = Tokenizer([], added=[AddedToken("<|endoftext|>", normalized=True)])
    assert len(tokenizer) == 514
    assert tokenizer.encode("<|ENDOFTEXT|>") == [512, 513, 513]
    tokenizer.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path).encode("<|ENDOFTEXT|>") == [512, 513, 513]


@pytest.mark.parametrize("added, message", [
    ([AddedToken("<a>"), AddedToken("<a>")], "added twice"), ([AddedToken(" ")], "an added token is empty"),
    ([AddedToken("\ud800")], "half a letter"), ([AddedToken(3)], "an added token has 3 in it: use a text")])
def test_tokens_that_cannot_be_told_apart_or_written_are_refused(added, message):
    with pytest.raises(UserError, match=message):
        Tokenizer([], added=added)


@pytest.mark.parametrize("content, message", [
    ({"<a>": FIRST + 5}, "the added token '<a>' .* without gaps"), ({"<a>": "x"}, "no readable tokenizer"),
    ({"<a>": float("inf")}, "no readable tokenizer"), ({"\ud800": FIRST}, "half a letter"),
    (["<a>"], "not a JSON object")])
def test_added_tokens_that_do_not_fit_are_one_clear_line(tmp_path, content, message):
    Tokenizer(ADDED.merges).save_pretrained(tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        Tokenizer.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_classes_says_which_texts_are_none():
    names = ["a cat", "a dog", "a bird", "a fish", "a horse", "a cow"]
    classes = Tokenizer([], 3, added=[AddedToken(name, normalized=True, single_word=True) for name in names])
    assert classes.classes == names
    assert [classes.unread(text) for text in ("", "a cat", "A  Horse")] == [""] * 3
    assert classes.unread("a cathedral") == ("'a cathedral' is none of the classes that this model has learned: "
                                             "a cat, a dog, a bird, a fish, a horse, ... (6 in all)")
    assert classes.unread("a cat a dog") == ("'a cat a dog'... has 4 tokens, and this model reads 3: the rest is "
                                             "dropped")
    assert ADDED.classes == [] and ADDED.unread("nothing") == ""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from emoji_folder import raw_set

from minidiff.data.emoji.names import code_points, has_tone, read_names, unicode_name
from minidiff.errors import UserError


@pytest.mark.parametrize("stem, codes", [
    ("1f427", (0x1F427,)), ("1F427", (0x1F427,)), ("emoji_u1f427", (0x1F427,)), ("u1f427", (0x1F427,)),
    ("2764-fe0f", (0x2764,)), ("2764", (0x2764,)), ("23-20e3", (0x23, 0x20E3)),
    ("1f469-1f3fd-200d-1f680", (0x1F469, 0x1F3FD, 0x200D, 0x1F680)),
    ("emoji_u1f469_1f3fd_200d_1f680", (0x1F469, 0x1F3FD, 0x200D, 0x1F680)),
    ("penguin", None), ("1f427-penguin", None), ("", None), ("fe0f", None), ("facade", None), ("1f427 (1)", None)])
def test_code_points_are_read_from_the_names_that_sets_give_their_files(stem, codes):
    assert code_points(stem) == codes


@pytest.mark.parametrize("stem", [
    "face", "cafe", "dad", "bee", "ac", "af", "bed", "faded", "dead", "feed", "12", "2023", "20e3", "e007f", "200d"])
def test_words_and_numbers_of_hexadecimal_digits_are_no_emoji(stem):
    codes = code_points(stem)
    assert codes is None or unicode_name(codes) is None


@pytest.mark.parametrize("stem, name", [
    ("1f427", "penguin"), ("a9", "copyright sign"), ("203c", "double exclamation mark"),
    ("2139", "information source"), ("1f44b-1f3ff", "waving hand sign: dark skin tone"),
    ("1f469-1f3fd-200d-1f680", "woman, rocket: medium skin tone"), ("31-20e3", "keycap: 1"),
    ("1f9d1-1f3fb-200d-1f91d-200d-1f9d1-1f3ff",
     "adult, handshake, adult: light skin tone, dark skin tone"),
    ("1f1eb-1f1f7", "flag: FR"), ("1f3f4-e0067-e0062-e0073-e0063-e0074-e007f", "flag: gbsct"),
    ("1f3fd", "emoji modifier fitzpatrick type-4")])
def test_unicode_names_an_emoji_without_a_table(stem, name):
    named = unicode_name(code_points(stem))
    assert named.name == name
    assert named.tags == ()
    assert named.group == {"flag": "flags", "keycap": "symbols"}.get(name.partition(":")[0], "")


def test_every_symbol_of_the_planes_of_emoji_has_a_name_of_its_own():
    codes = [code for code in range(0x1F300, 0x1FAFF) if unicodedata.category(chr(code)) in ("So", "Sk")]
    assert len({unicode_name((code,)).name for code in codes}) == len(codes) > 1000


def test_only_emoji_in_a_chosen_tone_have_one():
    assert has_tone(code_points("1f44b-1f3fb"))
    assert not has_tone(code_points("1f44b"))
    assert not has_tone(code_points("1f3fb"))  # the tone itself, as a square


def test_the_table_names_plain_emoji_and_their_skins(tmp_path):
    names = read_names(raw_set(tmp_path)[1])
    assert names[0x1F34E,] == ("red apple", ("fruit", "crisp"), "food")
    assert names[0x1F469, 0x1F3FF, 0x200D, 0x1F680] == ("astronaut: dark skin tone", ("rocket", "space"), "people")
    assert len(names) == 30


@pytest.mark.parametrize("content", ["{}x", "[1]", '[{"hexcode": "1F34E"}]', '[{"hexcode": "?", "label": "a"}]',
                                     '[{"hexcode": "1F34E", "label": "a", "group": 99}]', "\ud800", "[" * 100_000])
def test_another_file_than_the_table_is_refused(tmp_path, content):
    path = tmp_path / "data.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=r"is not emojibase's data\.json: leave it out to take Unicode's own names"):
        read_names(path)


def test_a_missing_table_is_an_error():
    with pytest.raises(UserError, match=r"cannot read nowhere\.json: No such file"):
        read_names(Path("nowhere.json"))
    with pytest.raises(UserError, match=r"cannot read \.: not a regular file"):
        read_names(Path("."))


def test_an_entry_without_a_group_is_a_component(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"hexcode": "1F1E6", "label": "regional indicator A"}]), "utf-8")
    assert read_names(path)[0x1F1E6,] == ("regional indicator A", (), "component")

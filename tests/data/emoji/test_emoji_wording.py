from __future__ import annotations

import pytest

from minidiff.data.emoji.wording import is_plural, is_thing, plural, with_article, without_colour


@pytest.mark.parametrize("named", [
    "a penguin", "an octopus", "an ice cream", "a unicorn", "an umbrella", "an unamused face", "a one-piece swimsuit",
    "a one o’clock", "an onion", "a euro banknote", "a ewe", "an hourglass done", "a house", "an x-ray", "an OK hand",
    "an Easter egg", "glasses", "grapes", "people holding hands", "a glass of milk", "a bus", "tennis", "a cactus",
    "bread", "a bread knife"])
def test_an_article_goes_by_the_sound_and_names_of_many_have_none(named):
    name = named.partition(" ")[2] if named.startswith(("a ", "an ")) else named
    assert with_article(name) == named


@pytest.mark.parametrize("one, many", [
    ("penguin", "penguins"), ("fox", "foxes"), ("peach", "peaches"), ("fly", "flies"), ("key", "keys"),
    ("cherry blossom", "cherry blossoms"), ("glass of milk", "glasses of milk"), ("snowman", "snowmen"),
    ("snowman without snow", "snowmen without snow"), ("human", "humans"), ("potted plant", "potted plants"),
    ("mouse", "mice"), ("computer mouse", "computer mice"), ("maple leaf", "maple leaves"), ("fish", "fish"),
    ("bus", "buses"), ("tooth", "teeth"), ("bow and arrow", "bows and arrow"), ("T-Rex", "T-Rexes"),
    ("tornado", "tornadoes")])
def test_plurals(one, many):
    assert plural(one) == many


def test_names_of_many_things_are_found():
    assert all(map(is_plural, ("grapes", "glasses", "people with bunny ears", "hot springs")))
    assert not any(map(is_plural, ("glass of grapes", "octopus", "compass", "ibis")))


@pytest.mark.parametrize("name, base", [("green apple", "apple"), ("light blue heart", "heart"), ("apple", "apple"),
                                        ("blueberries", "blueberries"), ("orange", "orange"), ("black cat", "cat")])
def test_a_colour_before_a_name_is_left_out(name, base):
    assert without_colour(name) == base


@pytest.mark.parametrize("name", ["penguin", "bottle with popping cork", "octopus", "rhinoceros", "T-Rex"])
def test_a_thing_can_have_an_article(name):
    assert is_thing(name)


@pytest.mark.parametrize("name", ["skis", "unlocked", "page facing up", "three-thirty", "hourglass not done", "people"])
def test_what_is_not_one_thing_is_in_no_scene(name):
    assert not is_thing(name)

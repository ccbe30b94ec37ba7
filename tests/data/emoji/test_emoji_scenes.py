"""Scenes: true of their captions, held-out words kept apart, whatever a set has or lacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from emoji_folder import THINGS
from emoji_words import JUDGE, NAMES, WITH_BACKGROUND, WORDS, is_out, words_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minidiff.data.emoji.colours import HUES
from minidiff.data.emoji.held_out import LONELY, WORDS_OUT, is_held_out, never_related
from minidiff.data.emoji.parts import background_and_inside
from minidiff.data.emoji.random_scenes import draw_scene
from minidiff.data.emoji.scenes import BACKGROUNDS, named, placed, plainly_named, related
from minidiff.data.emoji.vocabulary import KINDS
from minidiff.data.emoji.wording import with_article
from minidiff.data.scenes import RELATIONS, pick

seeds, splits = st.integers(0, 2**32), st.sampled_from(["seen", "held_out"])


def drawn(seed, *arguments):
    return draw_scene(np.random.default_rng(seed), WORDS, *arguments)


@pytest.mark.parametrize("kind", KINDS)
@given(seeds, splits)
def test_a_scene_is_true_of_its_caption_and_its_words_are_of_its_split(kind, seed, split):
    scene = drawn(seed, kind, split)
    assert scene.kind == kind
    assert is_out(scene) == (split == "held_out")
    assert JUDGE.judge(scene, scene.image(64)).right, scene.caption


@given(seeds)
def test_the_kinds_of_scenes_mix(seed):
    scene = drawn(seed)
    assert scene.kind in KINDS and not is_out(scene)


def test_the_kinds_have_their_proportions():
    rng = np.random.default_rng(0)
    counts = Counter(draw_scene(rng, WORDS).kind for _ in range(2000))
    assert all(abs(counts[kind] / 2000 - fraction) < 0.04 for kind, fraction in KINDS.items())


@given(seeds)
def test_a_named_background_is_shown_and_without_one_it_is_white(seed):
    scene = drawn(seed, np.random.default_rng(seed).choice(["counted", "placed", "related"]))
    name = WITH_BACKGROUND.fullmatch(scene.caption)[2]
    assert scene.named_background == name
    image = scene.image(64)
    assert_array_equal(image[0, 0], BACKGROUNDS[name or "white"])
    assert np.unique(image.reshape(-1, 3), axis=0).shape[0] > 10


@given(seeds, st.sampled_from(WORDS.emoji))
def test_an_emoji_is_shown_by_its_name_perhaps_with_an_article_or_tags(seed, emoji):
    scene = named(np.random.default_rng(seed), emoji)
    first, *tags = scene.caption.split(", ")
    assert first in {emoji.name, with_article(emoji.name)}
    assert len(tags) <= 2 and {*tags} <= {*emoji.tags}
    assert first == emoji.name or not (tags or emoji.has_tone or emoji.group == "flags")
    assert JUDGE.judge(scene, scene.image(64)).right


@pytest.mark.parametrize("size", [16, 64, 100])
def test_images_scale_with_their_size(size):
    scene = placed(np.random.default_rng(0), WORDS.common[0], "at the bottom left")
    image = scene.image(size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    ys, xs = np.nonzero((image != 255).any(axis=2))
    assert abs(xs.mean() - 18 / 64 * size) < 0.1 * size and abs(ys.mean() - 46 / 64 * size) < 0.1 * size


def test_a_relation_goes_the_way_its_words_say():
    first, second = (next(one for one in WORDS.common if one.name == name) for name in ("frog", "whale"))
    for relation, (x, y) in RELATIONS.items():
        scene = related(np.random.default_rng(1), first, second, relation)
        a, b = (sticker.centre for sticker in scene.stickers)
        assert x * (b[0] - a[0]) + y * (b[1] - a[1]) > 25
        assert scene.caption == f"a frog {relation} a whale"


@pytest.mark.parametrize("kind", ["counted", "placed", "related"])
@given(seeds, splits)
def test_things_among_others_are_large_and_neither_overlap_nor_are_cut_off(kind, seed, split):
    scene = drawn(seed, kind, split)
    alone = [background_and_inside(replace(scene, stickers=(sticker,)).image(64))[1] for sticker in scene.stickers]
    assert np.sum(alone, axis=0).max() == 1
    assert not any(inside[edge].any() or inside[:, edge].any() for inside in alone for edge in (0, -1))
    assert all(27 <= max(np.ptp(line) + 1 for line in np.nonzero(inside)) <= 30 for inside in alone)


def test_common_nouns_are_single_short_words_but_for_a_colour_and_can_be_counted():
    assert {*NAMES} == {"red apple", "green apple", "carrot", "whale", "frog", "penguin", "cat", "dog", "pizza"}
    names = ("bread", "hippopotamus", "sea lion", "fox")
    words = words_of(tuple((codes, name, *rest) for (codes, _, *rest), name in zip(THINGS[8:12], names, strict=True)))
    assert [one.name for one in words.common] == ["fox"] and len(words.nouns) == 4
    assert {one.name for one in WORDS.nouns} - NAMES >= {"lemon", "star"}  # a diamond and a star fill little


def test_held_out_words_are_about_one_in_ten_and_do_not_depend_on_the_set():
    hashed = [is_held_out(f"{number} thing", WORDS_OUT) for number in range(4000)]
    assert 0.08 < np.mean(hashed) < 0.12
    assert all(never_related(a, b) == never_related(b, a) for a in NAMES for b in NAMES)
    lonely = {name for name in map(str, range(100)) if is_held_out(name, LONELY)}
    assert lonely and all(never_related(name, other) for name in lonely for other in NAMES)
    few, names = words_of(THINGS[:8]), {thing[1] for thing in THINGS[:8]}
    kept = {(one.name, colour) for one, colour in few.coloured.held_out}
    assert kept == {(one.name, colour) for one, colour in WORDS.coloured.held_out if one.name in names}


def test_every_colour_of_a_thing_is_seen_or_held_out():
    pairs = [[(one.name, colour) for one, colour in WORDS.coloured[out]] for out in (False, True)]
    assert len(pairs[0]) + len(pairs[1]) == len(WORDS.colourable) * len(HUES)
    assert not {*pairs[0]} & {*pairs[1]}
    assert ("green apple", "red") in pairs[0]  # an emoji is called so


@pytest.mark.parametrize("things, kinds", [
    (THINGS, [*KINDS]),
    ([(*one[:2], (), *one[3:]) for one in THINGS], ["coloured", "counted", "placed", "related"]),
    ([one for one in THINGS if one[1] in ("penguin", "cat")], ["described", "counted", "placed", "related"]),
    ([one for one in THINGS if one[1] == "cat"], ["described", "counted", "placed"]),
    ([one for one in THINGS if one[3] == "people"], ["described"]),
    ([one for one in THINGS if one[3] == "flags"], ["described"]), ([], [])])
def test_a_kind_that_a_set_has_no_words_for_is_left_out(things, kinds, rng):
    words = words_of(tuple(things))
    for out, split in enumerate(("seen", "held_out")):
        assert {*words.kinds[out]} <= {*kinds}
        shown = {draw_scene(rng, words, split=split).kind for _ in range(150 if words.kinds[out] else 0)}
        assert shown == {*words.kinds[out]}
    assert {*words.kinds.seen} >= {*kinds} - {"described"}


def test_descriptions_fit_few_and_are_no_names():
    for out in (False, True):
        for text, fitting in WORDS.descriptions[out]:
            words = text.split()
            assert 1 <= len(fitting) <= {1: 6, 2: 3}[len(words)]
            assert all({*words} <= {*map(str.lower, one.tags)} for one in fitting)
            assert text not in {one.name for one in WORDS.emoji}
            assert not out or len(words) == 2


def test_skin_tones_are_held_out_but_never_the_plain_emoji():
    seen, held_out = WORDS.named
    assert [one.name for one in held_out] == ["waving hand: light skin tone"]
    assert len(seen) == 29 and held_out[0] not in seen
    assert plainly_named(held_out[0]).caption == held_out[0].name
    assert pick(np.random.default_rng(0), WORDS.family(held_out[0])).name.startswith("waving hand: ")

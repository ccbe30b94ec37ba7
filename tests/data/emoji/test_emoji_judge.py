"""What the judge reads in images that are true, noisy or wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from emoji_words import JUDGE, WORDS
from PIL import Image

from minidiff.data.emoji.judge import Judge
from minidiff.data.emoji.parts import background_and_inside, extent_in
from minidiff.data.emoji.random_scenes import draw_scene
from minidiff.data.emoji.scenes import BACKGROUNDS, coloured, counted, described, on_background, placed, plainly_named
from minidiff.data.emoji.scenes import related as related_
from minidiff.data.emoji.vocabulary import KINDS, Vocabulary

BY_NAME = {one.name: one for one in WORDS.emoji}
NOUNS = {one.name: one for one in WORDS.common}


def rng():
    return np.random.default_rng(3)


def related(first, relation, second):
    return related_(rng(), NOUNS[first], NOUNS[second], relation)


WRONG = [  # what is shown, what was asked for, what the judge says that it saw
    (plainly_named(BY_NAME["astronaut: dark skin tone"]), plainly_named(BY_NAME["astronaut: light skin tone"]),
     "astronaut: dark skin tone"),
    (plainly_named(BY_NAME["cat"]), described(rng(), "puppy", (BY_NAME["dog"],)), "cat"),
    (coloured(rng(), BY_NAME["lemon"], "blue"), coloured(rng(), BY_NAME["lemon"], "purple"), "blue lemon"),
    (coloured(rng(), BY_NAME["whale"], "blue"), coloured(rng(), BY_NAME["lemon"], "blue"), "blue whale"),
    (plainly_named(BY_NAME["octopus"]), coloured(rng(), BY_NAME["star"], "red"), "gray octopus"),
    *((counted(rng(), NOUNS[name], shown), counted(rng(), NOUNS[name], asked), None)
      for name in ("dog", "whale") for shown in (2, 3, 4) for asked in (2, 3, 4) if asked != shown),
    (counted(rng(), NOUNS["dog"], 2), counted(rng(), NOUNS["cat"], 2), "dog and dog"),
    (placed(rng(), NOUNS["frog"], "at the top left"), placed(rng(), NOUNS["frog"], "in the center"), "frog"),
    (placed(rng(), NOUNS["frog"], "at the top left"), placed(rng(), NOUNS["cat"], "at the top left"), "frog"),
    (related("cat", "left of", "dog"), related("cat", "right of", "dog"), "dog and cat"),
    (related("cat", "left of", "dog"), related("cat", "above", "dog"), None),
    (related("cat", "left of", "dog"), related("cat", "left of", "frog"), "cat and dog")]


@pytest.mark.parametrize("shown, asked, seen", WRONG, ids=lambda one: getattr(one, "caption", ""))
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_what_is_exchanged_in_another_colour_or_number_or_elsewhere_is_wrong(shown, asked, seen, background):
    if shown.kind in ("counted", "placed", "related"):
        shown = on_background(shown, background)
    image = shown.image(64)
    assert not JUDGE.judge(asked, image).right
    assert JUDGE.judge(shown, image).right
    assert seen is None or JUDGE.judge(asked, image).seen == seen


def test_another_background_than_the_named_one_is_no_mistake():
    scene = on_background(related("cat", "left of", "dog"), "blue")
    assert JUDGE.judge(scene, replace(scene, background="gray").image(64)).right


@pytest.mark.parametrize("kind", KINDS)
def test_noise_does_not_blind_the_judge(kind):
    random = np.random.default_rng(4)
    scenes = [draw_scene(random, WORDS, kind) for _ in range(40)]
    noisy = [(scene.image(64) + random.normal(0, 4, (64, 64, 3))).clip(0, 255).astype(np.uint8) for scene in scenes]
    assert np.mean([verdict.right for verdict in map(JUDGE.judge, scenes, noisy)]) >= 0.95


@pytest.mark.parametrize("kind", ["named", *KINDS])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_image_is_wrong(kind, level):
    scene = plainly_named(BY_NAME["lemon"]) if kind == "named" else draw_scene(rng(), WORDS, kind)
    empty = np.full((64, 64, 3), level, np.uint8)
    assert not JUDGE.judge(scene, empty).right
    assert JUDGE.judge(scene, empty).seen


def test_the_background_is_read_from_the_border():
    for name in BACKGROUNDS:
        scene = on_background(placed(rng(), NOUNS["frog"], "at the top left"), name)
        background, inside = background_and_inside(scene.image(64))
        assert background == name
        centre, side = extent_in(inside, (slice(None), slice(None)))
        assert np.hypot(*np.subtract(centre, (18, 18))) < 1.5 and 27 < side < 31
    assert extent_in(np.zeros((8, 8), bool), (slice(0, 4), slice(4))) == ((np.inf, np.inf), 0)


def test_a_thing_whose_finest_details_vanish_when_it_is_small_is_still_read_as_itself():
    cat = BY_NAME["cat"]
    pale = cat.image + np.uint8([30, 30, 30, 0]) * (cat.image[..., 3:] > 0)
    snowy = np.pad(np.asarray(Image.fromarray(pale).resize((44, 44))), ((10, 10), (10, 10), (0, 0)))
    snowy[[1, 1, 62, 62], [1, 62, 1, 62]] = 205, 205, 205, 150
    snowy = replace(cat, file="snowy", name="snowy cat", image=snowy)
    judge = Judge(Vocabulary([*WORDS.emoji, snowy]))
    for number in (2, 3, 4):
        scene = counted(rng(), snowy, number)
        assert judge.judge(scene, scene.image(64)).seen == " and ".join(number * ["snowy cat"])


def test_images_that_cannot_be_told_apart_count_as_the_same():
    assert JUDGE.alike(BY_NAME["cat"], BY_NAME["cat"])
    assert not JUDGE.alike(BY_NAME["cat"], BY_NAME["dog"])
    assert not JUDGE.alike(BY_NAME["waving hand: light skin tone"], BY_NAME["waving hand: medium-light skin tone"])

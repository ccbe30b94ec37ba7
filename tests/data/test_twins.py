from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minidiff.data.judge import read, verdict
from minidiff.data.scenes import HELD_OUT, KINDS, draw_scene
from minidiff.data.twins import draw_twin, twin_batch


def pair(seed):
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng)
    return scene, draw_twin(rng, scene)


@given(st.integers(0, 2**32))
def test_no_image_fits_the_captions_of_both(seed):
    scene, twin = pair(seed)
    for shown in (scene, twin):
        reading = read(shown.image())
        assert verdict(reading, shown)["right"]
        assert not verdict(reading, twin if shown is scene else scene)["right"]


@given(st.integers(0, 2**32))
def test_a_twin_uses_nearly_the_same_words_and_no_held_out_pair(seed):
    scene, twin = pair(seed)
    own, other = Counter(scene.caption.split()), Counter(twin.caption.split())
    assert (own - other).total() <= (5 if scene.place != twin.place else 1)  # "at the top left" is many words
    if scene.relation:
        assert own == other
    assert twin.kind == scene.kind
    assert not {(thing.colour, thing.shape) for thing in twin.objects} & set(HELD_OUT)


@given(st.integers(0, 2**32))
def test_a_held_out_scene_has_a_twin_too(seed):
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, "held_out")
    twin = draw_twin(rng, scene)
    new = {(thing.colour, thing.shape) for thing in twin.objects} - {(t.colour, t.shape) for t in scene.objects}
    assert new.isdisjoint(HELD_OUT)
    assert not verdict(read(twin.image()), scene)["right"]


@given(st.integers(0, 2**32))
def test_a_twin_keeps_the_layout_unless_its_caption_states_another(seed):
    scene, twin = pair(seed)
    if (scene.size, scene.place) == (twin.size, twin.place):
        assert [(t.centre, t.radius) for t in scene.objects] == [(t.centre, t.radius) for t in twin.objects]


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_caption_states_differs_in_some_twin(kind):
    pairs = [pair(seed) for seed in range(400)]
    pairs = [(scene, twin) for scene, twin in pairs if scene.kind == kind]
    changed = {name for scene, twin in pairs for name in ("size", "place", "relation", "background")
               if getattr(scene, name) != getattr(twin, name)}
    changed |= {name for scene, twin in pairs for name in ("colour", "shape")
                if [getattr(t, name) for t in scene.objects] != [getattr(t, name) for t in twin.objects]}
    assert changed == {"colour", "shape"} | {"one": {"size"}, "placed": {"size", "place"}}.get(kind, set())


def test_a_batch_is_scenes_each_followed_by_its_twin():
    def batch(size):
        return twin_batch(np.random.default_rng(3), size, 16)

    seven, rng = batch(7), np.random.default_rng(3)
    scenes = [draw_scene(rng) for _ in range(4)]
    assert seven.scenes[::2] == scenes
    assert seven.scenes[1] == draw_twin(rng, scenes[0])
    assert len(seven.images) == len(seven.captions) == 7
    assert_array_equal(batch(8).images[:7], seven.images)

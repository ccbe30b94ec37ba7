from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.data.scenes import (
    BACKGROUNDS,
    COLOURS,
    HELD_OUT,
    HOLES,
    OUTLINES,
    PLACES,
    RELATIONS,
    SEEN,
    SHAPES,
    Scene,
    Thing,
    draw_scene,
    images_of,
    lay_out,
    to_float,
)

splits = st.sampled_from(["seen", "held_out"])
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(0)
    return [draw_scene(rng) for _ in range(12_000)]


def test_vocabulary_is_the_one_outside_scorers_rely_on():
    assert {**COLOURS, **BACKGROUNDS} == {
        "red": (220, 40, 40), "orange": (245, 140, 30), "yellow": (240, 215, 40), "green": (50, 160, 70),
        "cyan": (60, 200, 210), "blue": (45, 85, 205), "purple": (130, 60, 170), "pink": (245, 140, 190),
        "white": (250, 250, 250), "black": (15, 15, 15), "gray": (128, 128, 128)}
    assert SHAPES == ("circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond")


def test_eight_pairs_are_held_out_one_for_each_shape_and_colour():
    assert {" ".join(pair) for pair in HELD_OUT} == {
        "red circle", "green square", "purple triangle", "orange star", "cyan heart", "pink ring", "yellow cross",
        "blue diamond"}
    assert len(SEEN) == 56


def test_training_scenes_never_show_a_held_out_pair(many):
    shown = Counter((thing.colour, thing.shape) for scene in many for thing in scene.objects)
    assert set(shown) == set(SEEN)


def test_held_out_scenes_start_with_a_held_out_pair_and_go_on_with_any():
    rng = np.random.default_rng(1)
    scenes = [draw_scene(rng, "held_out") for _ in range(3000)]
    first = {(scene.objects[0].colour, scene.objects[0].shape) for scene in scenes}
    second = {(thing.colour, thing.shape) for scene in scenes for thing in scene.objects[1:]}
    assert first == set(HELD_OUT)
    assert len(second) == 64


def test_the_mix_of_scenes_is_as_stated(many):
    kinds = Counter(scene.kind for scene in many)
    fractions = [kinds[kind] / len(many) for kind in ("one", "placed", "two", "related")]
    assert_allclose(fractions, [1 / 3, 1 / 6, 1 / 6, 1 / 3], rtol=0, atol=0.02)
    assert_allclose(np.mean([scene.names_background for scene in many]), 0.6, rtol=0, atol=0.02)
    sized = [scene.size is not None for scene in many if len(scene.objects) == 1]
    assert_allclose(np.mean(sized), 0.7, rtol=0, atol=0.02)
    for words in ([scene.background for scene in many], [s.size for s in many if s.size],
                  [s.place for s in many if s.place], [s.relation for s in many if s.relation]):
        counts = np.array(list(Counter(words).values()))
        assert_allclose(counts / counts.mean(), 1, rtol=0, atol=0.15)


def test_lengths_and_places_fill_exactly_the_stated_ranges(many):
    def spans(values, low, high):
        values = np.array(values)
        assert low <= values.min() and values.max() <= high
        assert values.max() - values.min() > 0.9 * (high - low)

    spans([s.objects[0].radius for s in many if s.size == "small"], 8, 10)
    spans([s.objects[0].radius for s in many if s.size == "large"], 13, 16)
    spans([thing.radius for s in many if len(s.objects) == 2 for thing in s.objects], 9, 12)
    spans([np.subtract(s.objects[0].centre, PLACES[s.place]) for s in many if s.place], -2, 2)
    for axis, relations in enumerate([("left of", "right of"), ("above", "below")]):
        pairs = [s for s in many if s.relation in relations]
        ends = np.array([[thing.centre for thing in s.objects] for s in pairs])
        direction = np.array([RELATIONS[s.relation][axis] for s in pairs])
        spans((ends[:, 1, axis] - ends[:, 0, axis]) * direction, 26, 34)
        spans(ends[:, :, 1 - axis], 27, 37)
    free = [s.objects[0] for s in many if s.kind == "one"]
    spans([min(*t.centre, 64 - t.centre[0], 64 - t.centre[1]) - t.radius for t in free], 2, 24)


def test_two_objects_of_a_scene_differ_in_colour(many):
    assert all(s.objects[0].colour != s.objects[1].colour for s in many if len(s.objects) == 2)


@settings(max_examples=20, deadline=None)
@given(seeds, splits)
def test_another_jitter_keeps_the_caption(seed, split):
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, split)
    other = lay_out(rng, scene)
    assert other.caption == scene.caption
    assert other.objects != scene.objects


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_cover_their_outline(shape):
    """Pixel for pixel, against counting which of 8 x 8 points in each pixel lie inside the polygon."""
    thing = Thing("red", shape, (29.3, 33.8), 12.4)
    points = (np.stack(np.meshgrid(*[np.arange(512)] * 2), axis=-1) + 0.5) / 8
    inside = _inside(points, thing.radius * OUTLINES[shape] + thing.centre)
    if shape in HOLES:
        inside &= ~_inside(points, thing.radius * HOLES[shape] + thing.centre)
    coverage = inside.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    image = Scene((thing,), "black").image()
    drawn = (image[..., 0] - 15.0) / (COLOURS["red"][0] - 15.0)
    assert_allclose(drawn, coverage, rtol=0, atol=0.45)
    assert_allclose(_centroid(drawn), _centroid(coverage), rtol=0, atol=0.1)
    assert_allclose(np.sqrt(drawn.sum()), np.sqrt(coverage.sum()), rtol=0.04, atol=0)


def _inside(points, corners):
    inside = np.zeros(points.shape[:2], bool)
    x, y = points[..., 0], points[..., 1]
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return inside


def _centroid(weights):
    y, x = np.mgrid[:64, :64] + 0.5
    return (weights * x).sum() / weights.sum(), (weights * y).sum() / weights.sum()


def test_outlines_are_the_stated_ones():
    radii = {shape: np.hypot(*OUTLINES[shape].T) for shape in SHAPES}
    assert_allclose(radii["circle"], 0.95, rtol=1e-12, atol=0)
    assert_allclose(radii["ring"], 0.98, rtol=1e-12, atol=0)
    assert_allclose(np.hypot(*HOLES["ring"].T), 0.55, rtol=1e-12, atol=0)
    assert_allclose(radii["star"], [1, 0.42] * 5, rtol=1e-12, atol=0)
    assert_allclose(OUTLINES["star"][0], [0, -1], rtol=0, atol=1e-12)
    assert_allclose(np.abs(OUTLINES["square"]), 0.85, rtol=1e-12, atol=0)
    assert sorted(map(tuple, np.abs(OUTLINES["cross"]))) == 4 * [(0.32, 0.32)] + 4 * [(0.32, 1)] + 4 * [(1, 0.32)]
    assert_allclose(OUTLINES["heart"][[0, 32]], [[0, -5 / 17], [0, 1]], rtol=0, atol=1e-12)
    assert_allclose(np.abs(OUTLINES["heart"][:, 0]).max(), 16 / 17, rtol=1e-12, atol=0)


def test_a_larger_image_is_the_same_image():
    scene = draw_scene(np.random.default_rng(5))
    large = scene.image(128).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(large - scene.image(64)).mean() < 2


def test_images_are_bytes_and_floats_between_minus_one_and_one():
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in range(3)]
    pixels = images_of(scenes, 40)
    assert pixels.shape == (3, 40, 40, 3) and pixels.dtype == np.uint8
    assert_array_equal(pixels[1], scenes[1].image(40))
    assert to_float(pixels).dtype == np.float32
    assert_array_equal(to_float(np.array([0, 255], np.uint8)), [-1, 1])

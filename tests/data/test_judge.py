from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidiff.data.judge import components, read, satisfies, truth, verdict
from minidiff.data.scene_captions import parse_caption
from minidiff.data.scenes import COLOURS, Scene, Thing, draw_scene, lay_out

seeds = st.integers(0, 2**32)


def drawn(caption, seed=0):
    return lay_out(np.random.default_rng(seed), parse_caption(caption))


@pytest.mark.parametrize("split", ["seen", "held_out"])
def test_every_true_image_reads_as_right(split):
    rng = np.random.default_rng(3)
    for _ in range(2000):
        scene = draw_scene(rng, split)
        reading = read(scene.image())
        assert all(verdict(reading, scene).values()), (scene, reading)
        assert reading.background == scene.background


@pytest.mark.parametrize("size", [80, 96, 128])
def test_larger_images_read_as_right(size):
    rng = np.random.default_rng(size)
    for _ in range(100):
        scene = draw_scene(rng, "held_out")
        assert all(verdict(read(scene.image(size)), scene).values()), scene


def test_noise_and_a_colour_cast_do_not_blind_the_judge():
    rng = np.random.default_rng(4)
    scenes = [draw_scene(rng) for _ in range(200)]
    right = []
    for scene in scenes:
        noisy = scene.image() + rng.normal(0, 6, (64, 64, 3)) + rng.uniform(-8, 8, 3)
        right.append(verdict(read(noisy.clip(0, 255).astype(np.uint8)), scene)["right"])
    assert np.mean(right) >= 0.97


@pytest.mark.parametrize("shown, stated, wrong", [
    ("a red ring", "a blue ring", {"colour"}),
    ("a red ring", "a red star", {"shape"}),
    ("a large red ring", "a small red ring", {"size"}),
    ("a red ring at the top left", "a red ring in the center", {"place"}),
    ("a red ring left of a blue star", "a red ring right of a blue star", {"relation"}),
    ("a red ring left of a blue star", "a red ring above a blue star", {"relation"}),
    ("a red ring left of a blue star", "a red ring left of a green star", {"colour"}),
    ("a red ring and a blue star", "a red star and a blue ring", {"shape"}),
    ("a red ring and a blue star", "a red ring", {"count"}),
    ("a red ring", "a red ring and a blue star", {"count", "colour", "shape"}),
])
@pytest.mark.parametrize("background", ["white", "black", "gray"])
def test_the_verdict_names_what_is_wrong(shown, stated, wrong, background):
    checks = verdict(read(drawn(f"{shown} on a {background} background").image()), parse_caption(stated))
    assert {name for name, correct in checks.items() if not correct} == wrong | {"right"}


def test_the_background_is_reported_and_is_no_part_of_right():
    reading = read(drawn("a red ring on a black background").image())
    checks = verdict(reading, parse_caption("a red ring on a gray background"))
    assert checks["right"] and not checks["background"]
    assert "background" not in verdict(reading, parse_caption("a red ring"))


def test_the_order_of_objects_joined_by_and_is_free():
    reading = read(drawn("a red ring and a blue star").image())
    assert verdict(reading, parse_caption("a blue star and a red ring"))["right"]


def test_an_empty_image_shows_nothing():
    reading = read(np.full((64, 64, 3), 128, np.uint8))
    assert (reading.background, reading.objects) == ("gray", ())
    stated = parse_caption("a large red ring at the top left on a gray background")
    assert verdict(reading, stated) == {"count": False, "shape": False, "colour": False, "size": False,
                                        "place": False, "right": False, "background": True}


def test_a_blob_has_no_shape_and_specks_are_no_objects():
    image = np.full((64, 64, 3), 250, np.uint8)
    image[10:40, 30:33] = image[37:40, 10:33] = COLOURS["green"]
    image[50:54, 50:56] = COLOURS["red"]
    reading = read(image)
    assert [(found.colour, found.shape, found.box) for found in reading.objects] == [("green", None, (10, 10, 33, 40))]


def test_small_becomes_large_at_twenty_one_and_a_half_pixels():
    for radius, size in [(21 / 1.7, "small"), (22 / 1.7, "large")]:
        scene = Scene((Thing("blue", "square", (32.0, 32.0), radius),))
        assert [found.size for found in truth(scene).objects] == [size]


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_components_are_those_of_a_flood_fill(mask):
    labels = components(mask)
    assert ((labels > 0) == mask).all()
    left = mask.copy()
    while left.any():
        flood = [tuple(np.argwhere(left)[0])]
        seen = set(flood)
        while flood:
            y, x = flood.pop()
            for near in [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]:
                if near not in seen and all(0 <= i < n for i, n in zip(near, mask.shape, strict=True)) and mask[near]:
                    seen.add(near)
                    flood.append(near)
        assert {tuple(at) for at in np.argwhere(labels == labels[next(iter(seen))])} == seen
        left[tuple(np.transpose(list(seen)))] = False


@settings(max_examples=30, deadline=None)
@given(seeds, seeds)
def test_satisfying_a_caption_is_what_the_judge_reads(seed, other):
    scene = draw_scene(np.random.default_rng(seed))
    assert satisfies(scene, scene)
    for stated in [draw_scene(np.random.default_rng(other)), parse_caption(scene.caption)]:
        assert satisfies(scene, stated) == all(verdict(read(scene.image()), stated).values())


def test_a_caption_is_satisfied_by_scenes_that_were_drawn_for_another():
    scene = drawn("a large red ring at the top left on a black background")
    assert satisfies(scene, parse_caption("a red ring"))
    assert satisfies(scene, parse_caption("a red ring on a black background"))
    assert not satisfies(scene, parse_caption("a red ring on a white background"))
    assert not satisfies(scene, parse_caption("a small red ring"))

"""The hue of a thing, and the same thing in other colours."""

from __future__ import annotations

import numpy as np
import pytest
from emoji_words import WORDS
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from minidiff.data.emoji.colours import HUES, WIDTH, apart, colour_of, dominant_hue, hsv, hue_of, recoloured

angles = st.floats(0, 360)
things = st.sampled_from(WORDS.colourable)
colours = st.sampled_from(list(HUES))


@given(angles, angles)
def test_the_angle_between_hues_is_that_on_a_circle(a, b):
    assert 0 <= apart(a, b) <= 180
    assert_allclose(apart(a, b), apart(b, a), rtol=0, atol=1e-9)
    assert_allclose(np.cos(np.deg2rad(apart(a, b))), np.cos(np.deg2rad(a - b)), rtol=0, atol=1e-9)


@given(things, colours)
def test_a_recoloured_thing_has_the_hue_that_is_asked_for(thing, colour):
    shown = recoloured(thing.image, colour, thing.hue)
    assert colour_of(hue_of(shown)) == colour
    assert apart(hue_of(shown), HUES[colour]) < 3
    assert_array_equal(shown[..., 3], thing.image[..., 3])


@given(things, colours)
def test_recolouring_keeps_saturation_and_value_and_what_has_another_hue(thing, colour):
    before, after = (hsv(image[..., :3]) for image in (thing.image, recoloured(thing.image, colour, thing.hue)))
    lit = before[2] > 0.1  # saturation is coarse in the dark
    assert_allclose(after[1][lit], before[1][lit], rtol=0, atol=0.05)
    assert_allclose(after[2], before[2], rtol=0, atol=2 / 255)
    other = lit & (before[1] > 0.2) & (apart(before[0], thing.hue) > 1.5 * WIDTH + 2)
    assert (apart(before[0], after[0])[other] < 3).all()


@pytest.mark.parametrize("colour, hue", HUES.items())
def test_the_hue_of_one_colour_is_found_however_far_from_the_middle(colour, hue):
    plane = np.full((8, 8), round(hue * 256 / 360), np.uint8)
    pixels = np.asarray(Image.merge("HSV", [Image.fromarray(x) for x in (plane, plane | 255, plane | 255)]
                                    ).convert("RGB"))
    found, area, dominance = dominant_hue(pixels, np.ones((8, 8), bool))
    assert apart(found, hue) < 3 and area == dominance == 1
    assert colour_of(found) == colour


def test_what_is_gray_or_of_several_hues_has_none():
    hues = {one.name: one.hue for one in WORDS.plain}
    assert hues["cat"] is hues["octopus"] is hues["soccer ball"] is None
    assert abs(hues["carrot"] - 30) < 5
    assert dominant_hue(np.full((4, 4, 3), 128, np.uint8), np.ones((4, 4), bool)) == (0, 0, 0)
    assert hue_of(np.zeros((4, 4, 4), np.uint8)) is None  # nothing is opaque

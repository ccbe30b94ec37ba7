"""Whether captions find their images."""

from __future__ import annotations

import numpy as np
import pytest

from minidiff.evaluation import recall_at


def test_each_caption_chooses_among_the_images_of_its_group():
    text = np.eye(8)
    image = text[[1, 0, 2, 3, 4, 5, 7, 6]]
    captions = [f"image {index}" for index in range(8)]
    assert recall_at(text, image, captions, among=4) == 0.5
    assert recall_at(text, text, captions, among=4) == 1


def test_an_image_in_another_group_cannot_be_found():
    text, captions = np.eye(8), [f"image {index}" for index in range(8)]
    image = text[[4, 1, 2, 3, 0, 5, 6, 7]]
    image[0, 0], image[4, 4] = -1, -1  # so that no caption chooses them for want of a better one
    assert recall_at(text, image, [*captions[:4], *captions[:1], *captions[5:]], among=8) == 1
    assert recall_at(text, image, captions, among=4) == 0.75


def test_an_image_of_an_equal_caption_is_right():
    text = np.eye(4)
    assert recall_at(text, text[[1, 0, 2, 3]], ["a cat", "a cat", "a dog", "a hen"]) == 1
    assert recall_at(text, text[[1, 0, 2, 3]], ["a cat", "a cow", "a dog", "a hen"]) == 0.5


def test_a_group_that_is_not_full_is_left_out_unless_it_is_the_only_one():
    text = np.eye(10)
    image, captions = text.copy(), [str(index) for index in range(10)]
    image[8:] = text[[9, 8]]
    assert recall_at(text, image, captions, among=4) == 1
    assert recall_at(text, image, captions, among=64) == 0.8


@pytest.mark.parametrize("among", [8, 64])
def test_by_chance_one_caption_in_the_group_finds_its_image(rng, among):
    text, image = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.standard_normal((2, 4096, 16)))
    found = recall_at(text, image, [str(index) for index in range(4096)], among)
    assert abs(found - 1 / among) < 3 * np.sqrt(1 / among / 4096)

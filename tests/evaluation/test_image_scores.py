"""Whether captions find their images, and how exact and how sharp images are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff.evaluation import crispness, psnr, recall_at_1


def test_each_caption_chooses_among_the_images_of_its_group():
    text = np.eye(8)
    image = text[[1, 0, 2, 3, 4, 5, 7, 6]]
    captions = [f"image {index}" for index in range(8)]
    assert recall_at_1(text, image, captions, among=4) == 0.5
    assert recall_at_1(text, text, captions, among=4) == 1


def test_an_image_in_another_group_cannot_be_found():
    text, captions = np.eye(8), [f"image {index}" for index in range(8)]
    image = text[[4, 1, 2, 3, 0, 5, 6, 7]]
    image[0, 0], image[4, 4] = -1, -1  # so that no caption chooses them for want of a better one
    assert recall_at_1(text, image, [*captions[:4], *captions[:1], *captions[5:]], among=8) == 1
    assert recall_at_1(text, image, captions, among=4) == 0.75


def test_an_image_of_an_equal_caption_is_right():
    text = np.eye(4)
    assert recall_at_1(text, text[[1, 0, 2, 3]], ["a cat", "a cat", "a dog", "a hen"]) == 1
    assert recall_at_1(text, text[[1, 0, 2, 3]], ["a cat", "a cow", "a dog", "a hen"]) == 0.5


def test_a_group_that_is_not_full_is_left_out_unless_it_is_the_only_one():
    text = np.eye(10)
    image, captions = text.copy(), [str(index) for index in range(10)]
    image[8:] = text[[9, 8]]
    assert recall_at_1(text, image, captions, among=4) == 1
    assert recall_at_1(text, image, captions, among=64) == 0.8


@pytest.mark.parametrize("among", [8, 64])
def test_by_chance_one_caption_in_the_group_finds_its_image(rng, among):
    text, image = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.standard_normal((2, 4096, 16)))
    found = recall_at_1(text, image, [str(index) for index in range(4096)], among)
    assert abs(found - 1 / among) < 3 * np.sqrt(1 / among / 4096)


def test_psnr_counts_squared_errors_of_255_levels():
    black = np.zeros((2, 4, 4, 3), np.uint8)
    off_by_ten = black.copy()
    off_by_ten[1] = 10
    assert_allclose(psnr(black, off_by_ten), 10 * np.log10(255**2 / 50), rtol=0, atol=0.01)
    assert psnr(off_by_ten, black) == psnr(black, off_by_ten)
    assert_allclose(psnr(black, black), 58.92, rtol=0, atol=0.01)


def test_crispness_is_the_fraction_of_an_edge_between_two_pixels():
    step, ramp = np.zeros((2, 1, 64, 64, 3), np.uint8)
    step[:, :, 32:] = 200
    ramp[:] = np.minimum(np.arange(64) * 4, 255)[:, None]
    assert crispness(step) == 1
    assert crispness(ramp) == 0.25
    assert crispness(np.concatenate([step, ramp])) == pytest.approx(0.625, abs=1e-3)
    assert crispness(np.full_like(step, 90)) == 0

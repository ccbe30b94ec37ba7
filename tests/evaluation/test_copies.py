"""A model that copies its training images is told from one that draws others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.evaluation import copied, copies, nearest, thumbnails


def drawn_at_random(rng, count):
    """Images of 8 x 8 pixels on a smooth background, so that some look alike."""
    base = rng.integers(40, 215, (count, 1, 1, 3))
    return np.clip(base + rng.normal(0, 20, (count, 8, 8, 3)), 0, 255).astype(np.uint8)


def test_the_nearest_image_and_its_distance_are_those_of_a_plain_search(rng, monkeypatch):
    monkeypatch.setattr(copies, "BLOCK", 7)
    images, training = drawn_at_random(rng, 20), drawn_at_random(rng, 30)
    differences = (images[:, None].astype(float) - training) / 127.5
    plain = np.sqrt((differences**2).mean(axis=(2, 3, 4)))
    distance, index = nearest(images, training)
    assert_allclose(distance, plain.min(axis=1), rtol=1e-12, atol=0)
    assert_array_equal(index, plain.argmin(axis=1))


def test_an_image_that_is_there_itself_has_distance_zero(rng):
    training = drawn_at_random(rng, 50)
    distance, index = nearest(training[::-1], training)
    assert_array_equal(distance, 0)
    assert_array_equal(index, np.arange(50)[::-1])


def test_black_and_white_are_2_apart():
    black = np.zeros((1, 32, 32, 3), np.uint8)
    assert_array_equal(nearest(black, black + 255)[0], 2)


def test_thumbnails_are_means_of_areas(rng):
    image = rng.integers(256, size=(2, 64, 64, 3)).astype(np.uint8)
    means = image.reshape(2, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert_allclose(thumbnails(image), means, rtol=0, atol=1)  # rounded twice: rows, then columns
    assert thumbnails(np.full((1, 48, 48, 3), 77, np.uint8)).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("noise", [0, 3])
def test_copies_are_recognised_and_independent_images_are_not(rng, noise):
    training, true = drawn_at_random(rng, 400), drawn_at_random(rng, 300)
    own = drawn_at_random(rng, 300)
    copy = np.clip(training[:300] + rng.normal(0, noise, (300, 8, 8, 3)), 0, 255).astype(np.uint8)
    half = np.concatenate([copy[:150], own[:150]])
    assert copied(own, true, training)["copied"] < 0.1
    assert copied(copy, true, training)["copied"] == 1
    assert 0.5 <= copied(half, true, training)["copied"] < 0.6


def test_what_is_said_of_copies(rng):
    training, true, own = drawn_at_random(rng, 90), drawn_at_random(rng, 60), drawn_at_random(rng, 40)
    found = copied(own, true, training, quantile=0.25)
    of_true = nearest(true, training)[0]
    assert found["by_chance"] == 0.25 and found["training_images"] == 90
    assert_allclose((of_true <= found["threshold"]).mean(), 0.25, rtol=0, atol=0.02)
    assert_allclose(found["true_median"], np.median(of_true), rtol=0, atol=1e-4)
    assert_allclose(found["drawn_median"], np.median(nearest(own, training)[0]), rtol=0, atol=1e-4)

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from minidiff.data.images import as_image, as_mask, at_once, latent_mask, to_pillow


def test_a_latent_is_painted_where_any_of_its_pixels_is():
    mask = np.zeros((4, 6, 1), np.float32)
    mask[1, 2], mask[3, 5] = 1.0, 0.5
    assert_array_equal(latent_mask(mask, 2)[..., 0], [[0, 1, 0], [0, 0, 0.5]])


def test_large_images_are_computed_fewer_at_once():
    assert [at_once(32, size) for size in (16, 64, 65, 128, 512)] == [32, 32, 31, 8, 1]


def test_images_survive_the_round_trip_through_floats():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    assert_array_equal(np.asarray(to_pillow(as_image(image)[None])[0]), np.asarray(image))
    fine = np.full((2, 3, 3), 0.1234, np.float32)
    assert_array_equal(as_image(fine, (2, 3)), fine)
    assert as_image(fine, (4, 5)).shape == (4, 5, 3)
    assert_array_equal(as_mask(np.array([[True, False]]))[..., 0], [[1, 0]])
    assert_array_equal(as_mask(np.array([[1.0, 0.2]]))[..., 0], np.float32([[1, 0.2]]))

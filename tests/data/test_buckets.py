"""Aspect buckets: their shapes, which of them an image goes to, and which of them a batch comes from."""

from __future__ import annotations

import numpy as np
import pytest

from minidiff.data.buckets import bucket_of, bucket_shapes, nearest
from minidiff.errors import UserError

SIZES = [(64, 16), (48, 16), (32, 8), (24, 8), (128, 16), (512, 64), (512, 32)]


@pytest.mark.parametrize("size, multiple", SIZES)
def test_shapes_have_about_the_area_of_the_square_and_sides_that_the_models_can_halve(size, multiple):
    shapes = bucket_shapes(size, multiple)
    assert (size, size) in shapes
    assert {(height, width) for width, height in shapes} == {*shapes}
    assert len({*shapes}) == len(shapes) >= 3
    for width, height in shapes:
        assert width % multiple == height % multiple == 0
        assert 0.5 <= width / height <= 2
        assert 7 / 8 <= width * height / size**2 <= 9 / 8
    assert min(width / height for width, height in shapes) < 0.6


def test_an_image_of_any_shape_goes_to_the_bucket_of_the_nearest_ratio(rng):
    shapes = bucket_shapes(64, 16)
    for width, height in rng.integers(8, 2000, (500, 2)).tolist():
        chosen = nearest(shapes, width, height)
        stretch = {shape: shape[0] / shape[1] / (width / height) for shape in shapes}
        assert all(max(stretch[chosen], 1 / stretch[chosen]) <= max(s, 1 / s) * (1 + 1e-12) for s in stretch.values())
    assert [nearest(shapes, *size) for size in ((3000, 100), (640, 480), (500, 400), (200, 300), (1, 2))] == [
        (96, 48), (80, 48), (64, 64), (48, 80), (48, 96)]


@pytest.mark.parametrize("size", [16, 32, 50])
def test_a_size_without_other_shapes_is_refused(size):
    with pytest.raises(UserError, match=rf"buckets need a size of at least 48 .* multiple of 16, not {size}"):
        bucket_shapes(size, 16)


def test_a_bucket_is_chosen_as_often_as_it_has_images_and_by_seed_and_index_alone():
    counts, n = [50, 30, 0, 20], 4000
    chosen = [bucket_of(7, index, counts) for index in range(n)]
    for number, count in enumerate(counts):
        p = count / sum(counts)
        assert abs(chosen.count(number) - n * p) <= 4 * np.sqrt(n * p * (1 - p))
    assert chosen[100:200] == [bucket_of(7, index, counts) for index in range(100, 200)]
    assert chosen != [bucket_of(8, index, counts) for index in range(n)]

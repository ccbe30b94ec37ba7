"""A person's images in buckets: at which shape each is kept, and what is drawn from them."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from captioned_folder import shaped_folder
from image_checks import read_pixels
from numpy.testing import assert_array_equal

from minidiff.data.buckets import nearest
from minidiff.data.scenes import to_float
from minidiff.data.sources import open_source
from minidiff.training import presets

SETTINGS = presets.Settings(
    size=24, autoencoder=presets.AutoencoderSettings(block_out_channels=(4, 8), norm_num_groups=2),
    unet=presets.UNetSettings(block_out_channels=(8, 16), attention_levels=(False, True)))
SHAPES = [(16, 32), (24, 24), (32, 16)]
COUNTS = {(32, 16): 24, (48, 48): 12, (20, 30): 12}
OPTIONS = [{}, {"crop": "random", "flip": True}, {"shuffle_tags": True}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shaped_folder(tmp_path_factory.mktemp("images") / "own", COUNTS)


def source_of(folder, seed=0, **options):
    data = presets.DataSettings(str(folder), **{"buckets": True} | options)
    settings = presets.Settings(**vars(SETTINGS) | {"data": data, "seed": seed})
    source = open_source(settings, folder.parent / "-".join(["data", *map(str, (data.crop, data.buckets))]))
    if not source.cache.whole:
        list(source.cache.fill())
    return source


def row_of(source, caption):
    return next(row for row, entry in enumerate(source.cache.entries) if entry.caption == caption)


def test_each_image_is_kept_at_the_shape_of_the_nearest_ratio_and_as_a_square(folder):
    cache = source_of(folder).cache
    assert_array_equal(cache.images, source_of(folder, buckets=False).cache.images)
    for shape in SHAPES:
        images, rows = cache.bucket(shape)
        files = [read_pixels(folder / cache.entries[row].name) for row in rows]
        assert len(files) == len(images) and images.shape[1:] == (*shape[::-1], 3)
        assert {nearest(SHAPES, *file.shape[1::-1]) for file in files} == {shape}
        assert isinstance(images, np.memmap)
    assert sum(len(cache.bucket(shape)[1]) for shape in SHAPES) == len(cache.entries) == 48
    for image, row in zip(*cache.bucket((32, 16)), strict=True):  # these have its size already
        assert_array_equal(image, read_pixels(folder / cache.entries[row].name))


def test_captions_of_a_cache_that_knew_no_buckets_are_read(folder):
    source = source_of(folder, buckets=False)
    path = source.cache.folder / "captions.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"read": [values[:6] for values in content["read"]]}))
    assert [entry.name for entry in source_of(folder, buckets=False).cache.entries] == [
        entry.name for entry in source.cache.entries]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_training_batch_has_one_shape_and_depends_on_seed_and_index_alone(folder, options):
    one, same, other = (source_of(folder, seed, **options) for seed in (0, 0, 1))
    shapes = [one.training_batch(index, 5).images.shape for index in range(30)]
    assert {*shapes} == {(5, height, width, 3) for width, height in SHAPES}
    for index in (3, 8, 20):
        batch, again = one.training_batch(index, 5), same.training_batch(index, 5)
        assert_array_equal(batch.images, again.images)
        assert batch.captions == again.captions
    assert [other.training_batch(index, 5).images.shape for index in range(30)] != shapes


def test_a_bucket_gives_as_many_batches_as_it_has_images(folder):
    source, n = source_of(folder), 600
    drawn = Counter(source.training_batch(index, 1).images.shape[2:0:-1] for index in range(n))
    assert [bucket.shape for bucket in source.buckets] == SHAPES
    for bucket in source.buckets:
        p = len(bucket.split[0]) / len(source.split[0])
        assert abs(drawn[bucket.shape] - n * p) < 4 * np.sqrt(n * p * (1 - p))


def test_captions_belong_to_their_images_also_if_they_are_flipped_and_cropped(folder):
    source = source_of(folder, crop="random", flip=True)
    held_out = {source.cache.entries[row].caption for row in source.split[1]}
    views = Counter()
    for index in range(20):
        batch = source.training_batch(index, 4)
        height, width = batch.images.shape[1:3]
        images, rows = source.cache.bucket((width * 9 // 8, height * 9 // 8))
        for image, caption in zip(batch.images, batch.captions, strict=True):
            kept = to_float(images[list(rows).index(row_of(source, caption))])
            found = [(top, left, step) for top in range(height // 8 + 1) for left in range(width // 8 + 1)
                     for step in (1, -1) if (image == kept[top:top + height, left:left + width][:, ::step]).all()]
            assert found and caption not in held_out
            views[found[0]] += 1
    assert len(views) > 10


@pytest.mark.parametrize("options, copies", [({}, 1), ({"crop": "random", "flip": True}, 8)])
def test_every_training_image_is_encoded_equally_often_at_its_shape(folder, options, copies):
    source = source_of(folder, **options)
    captions = Counter()
    for bucket in source.buckets:
        for index in range(-(-bucket.latent_count // 7)):
            batch = bucket.latent_batch(index, 7)
            assert batch.images.shape[1:] == (*bucket.shape[::-1], 3)
            captions.update(batch.captions)
    assert captions == {source.cache.entries[row].caption: copies for row in source.split[0]}


def test_contrastive_and_held_out_images_are_the_squares_of_a_source_without_buckets(folder):
    source, squares = source_of(folder), source_of(folder, buckets=False)
    for one, other in ((source.contrastive_batch(2, 8), squares.contrastive_batch(2, 8)),
                       (source.held_out(8), squares.held_out(8))):
        assert_array_equal(one.images, other.images)
        assert one.captions == other.captions
        assert one.images.shape[1:] == (24, 24, 3)

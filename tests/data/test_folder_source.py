"""A person's images as training data: which are held out, what is drawn, and that it depends on the index alone."""

from __future__ import annotations

import numpy as np
import pytest
from captioned_folder import captioned_folder
from numpy.testing import assert_array_equal

from minidiff.data.folder_source import FolderSource, cached_size, split
from minidiff.data.image_cache import ImageCache, digest_of
from minidiff.data.scenes import to_float
from minidiff.errors import UserError

DIGESTS = [digest_of(str(i).encode()) for i in range(3000)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return captioned_folder(tmp_path_factory.mktemp("images") / "own")


def source_of(folder, crop="center", **options):
    cache = ImageCache(folder.parent / f"data-{crop}", folder, cached_size(32, crop))
    if not cache.whole:
        list(cache.fill())
    return FolderSource(cache, 32, crop=crop, **options)


def test_held_out_images_are_a_fraction_of_all_and_stay_when_others_are_added():
    training, held_out = split(DIGESTS[:1000], 0.1)
    assert 70 < len(held_out) < 130
    assert sorted([*training, *held_out]) == list(range(1000))
    fewer = {DIGESTS[row] for row in split(DIGESTS[:500], 0.1)[1]}
    assert fewer == {DIGESTS[row] for row in held_out if row < 500}


@pytest.mark.parametrize("count, fraction, expected", [(7, 0.5, 0), (8, 1e-9, 1), (1000, 0.0, 0), (3000, 0.5, 512)])
def test_few_images_hold_out_none_and_many_not_more_than_512(count, fraction, expected):
    training, held_out = split(DIGESTS[:count], fraction)
    assert (len(training), len(held_out)) == (count - expected, expected)


def test_images_whose_digests_are_all_small_are_held_out_by_half():
    training, held_out = split([f"{digit}{'0' * 23}" for digit in range(8)], 0.5)
    assert (training.tolist(), held_out.tolist()) == ([4, 5, 6, 7], [0, 1, 2, 3])


def test_of_another_models_images_all_are_held_out():
    training, held_out = split(DIGESTS[:3] * 2, 1.0)
    assert (len(training), len(held_out)) == (0, 3)


@pytest.mark.parametrize("fraction", [1e-9, 0.1, 0.5])
def test_a_copy_of_an_image_is_never_on_the_other_side(rng, fraction):
    digests = [DIGESTS[i] for i in rng.integers(0, 2000, 5000)]
    training, held_out = ([digests[row] for row in rows] for rows in split(digests, fraction))
    assert len(held_out) == len({*held_out}) > 0
    assert {*training}.isdisjoint(held_out)
    assert {*training} | {*held_out} == {*digests}


def test_many_copies_of_few_images_hold_out_none():
    training, held_out = split(DIGESTS[:7] * 100, 0.5)
    assert (len(training), len(held_out)) == (700, 0)


def test_no_held_out_image_is_trained_on(folder):
    source = source_of(folder, held_out_fraction=0.3)
    held_out = {*source.held_out(100).captions}
    assert len(held_out) == len(source.split[1]) > 2
    for batch in (source.training_batch(0, 500), source.contrastive_batch(0, 500), source.latent_batch(0, 500)):
        assert held_out.isdisjoint(batch.captions)
    assert held_out.isdisjoint(source.captions())


@pytest.mark.parametrize("options", [{}, {"crop": "random"}, {"flip": True}, {"crop": "random", "flip": True}])
def test_a_batch_depends_on_seed_and_index_alone(folder, options):
    one, same, other = (source_of(folder, seed=seed, **options) for seed in (0, 0, 1))
    for name in ("training_batch", "contrastive_batch"):
        first, again, differs = (getattr(source, name)(3, 8) for source in (one, same, other))
        assert_array_equal(first.images, again.images)
        assert first.captions == again.captions
        assert (first.images != differs.images).any()
        assert (first.images != getattr(one, name)(4, 8).images).any()
        assert first.images.shape == (8, 32, 32, 3) and first.images.dtype == np.float32


def test_captions_belong_to_their_images_also_if_they_are_flipped_and_cropped(folder):
    source = source_of(folder, "random", flip=True)
    batch = source.training_batch(0, 100)
    rows = {entry.caption: row for row, entry in enumerate(source.cache.entries)}
    mirrored = 0
    for image, caption in zip(batch.images, batch.captions, strict=True):
        kept = to_float(source.cache.images[rows[caption]])
        views = [kept[top:top + 32, left:left + 32] for top in range(5) for left in range(5)]
        plain, flipped = (any((image == view[:, ::step]).all() for view in views) for step in (1, -1))
        assert plain or flipped
        mirrored += not plain
    assert 30 < mirrored < 70


@pytest.mark.parametrize("options, copies", [
    ({}, 1), ({"flip": True}, 2), ({"crop": "random"}, 4), ({"crop": "random", "flip": True}, 8),
    ({"shuffle_tags": True}, 4)])
def test_every_training_image_is_encoded_equally_often(folder, options, copies):
    source = source_of(folder, **options)
    assert source.latent_count == copies * len(source.split[0])
    batches = [source.latent_batch(index, 7) for index in range(-(-source.latent_count // 7))]
    captions = [caption for batch in batches for caption in batch.captions]
    assert len(captions) == source.latent_count
    assert {captions.count(caption) for caption in captions} == {copies}
    if options == {"flip": True}:
        images = np.concatenate([batch.images for batch in batches])
        half = len(images) // 2
        assert_array_equal(images[half:], images[:half, :, ::-1])


def test_no_caption_is_twice_in_a_contrastive_batch(tmp_path):
    folder = captioned_folder(tmp_path / "own")
    for i in range(20):
        (folder / f"{i:02}.txt").write_text(["A cat", "a  cat", "a dog"][i % 3], encoding="utf-8")
    source = source_of(folder)
    different = {caption.lower().replace("  ", " ") for caption in source.captions()}
    for index in range(5):
        captions = [caption.lower().replace("  ", " ") for caption in source.contrastive_batch(index, 64).captions]
        assert sorted(captions) == sorted(different)
        assert len({*source.contrastive_batch(index, 3).captions}) == 3


def test_one_caption_has_nothing_to_contrast_with(tmp_path):
    folder = captioned_folder(tmp_path / "own", 6)
    for file in folder.glob("*.txt"):
        file.write_text("a cat", encoding="utf-8")
    source = source_of(folder)
    assert source.training_batch(0, 3).captions == ["a cat"] * 3
    assert source.held_out(4).images.shape == (0, 32, 32, 3)
    with pytest.raises(UserError, match="contrastive training needs at least two different captions"):
        source.contrastive_batch(0, 8)


def test_tags_are_put_in_another_order_each_time(tmp_path):
    folder = captioned_folder(tmp_path / "own", 10)
    for i, file in enumerate(sorted(folder.glob("*.txt"))):
        tags = "red, round, large" if i % 2 else "large,red, round"
        file.write_text(f"{tags}, new{i // 2}", encoding="utf-8")
    source = source_of(folder, shuffle_tags=True)
    captions = source.training_batch(0, 200).captions
    assert {tuple(sorted(tag for tag in caption.split(", ") if "new" not in tag)) for caption in captions} == {
        ("large", "red", "round")}
    assert len({*captions}) > 60
    assert len(source.contrastive_batch(0, 64).captions) == 5

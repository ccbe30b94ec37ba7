"""The cache of a person's images: what is in it, what was left out, and whether the files are still the same."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from captioned_folder import captioned_folder
from numpy.testing import assert_array_equal
from PIL import Image

from minidiff.data.batches import evaluation_scenes
from minidiff.data.image_cache import ImageCache
from minidiff.errors import UserError


@pytest.fixture
def source(tmp_path):
    return captioned_folder(tmp_path / "own", 12)


def cache_of(source, size=48, folder="data"):
    cache = ImageCache(source.parent / folder, source, size)
    if not cache.whole:
        assert list(cache.fill()) == [(done, len(cache.find().items)) for done in range(1, len(cache.find().items) + 1)]
    return cache


def test_it_holds_the_middle_of_each_image_and_its_caption(source):
    cache = cache_of(source)
    scenes = evaluation_scenes(12, seed=9)
    assert_array_equal(cache.images, np.stack([scene.image(64)[8:56, 8:56] for scene in scenes]))
    assert [entry.caption for entry in cache.entries] == [scene.caption for scene in scenes]
    assert isinstance(cache.images, np.memmap)


def test_images_are_scaled_to_its_size(source):
    images = cache_of(source, 24).images
    halves = np.stack([scene.image(64)[8:56, 8:56] for scene in evaluation_scenes(12, seed=9)])
    assert images.shape == (12, 24, 24, 3)
    assert abs(images - halves.reshape(12, 24, 2, 24, 2, 3).mean(axis=(2, 4))).mean() < 4


def test_what_cannot_be_used_is_left_out_and_named(source):
    (source / "03.png").write_bytes(b"nothing")
    (source / "05.txt").unlink()
    Image.new("RGB", (60, 20)).save(source / "07.png")
    cache = cache_of(source)
    assert sorted(problem.name for problem in cache.left_out) == ["03.png", "05.png", "07.png"]
    assert "too small: 60 x 20 pixels, at least 24 needed" in [problem.reason for problem in cache.left_out]
    kept = [i for i in range(12) if i not in (3, 5, 7)]
    assert [entry.name for entry in cache.entries] == [f"{i:02}.png" for i in kept]
    assert_array_equal(cache.images, cache_of(captioned_folder(source.parent / "whole", 12), 48, "all").images[kept])


def test_a_folder_of_which_most_cannot_be_used_is_refused(source):
    for i in range(7):
        (source / f"{i:02}.png").write_bytes(b"nothing")
    cache = ImageCache(source.parent / "data", source, 48)
    with pytest.raises(UserError, match=r"7 of 12 images cannot be used: 00\.png \(.*mend or remove them"):
        list(cache.fill())
    assert not cache.whole
    assert not list(cache.folder.iterdir())


def test_one_that_was_stopped_while_it_was_filled_is_not_whole(source):
    cache = ImageCache(source.parent / "data", source, 48)
    filling = cache.fill()
    next(filling)
    filling.close()
    assert not cache.whole
    with pytest.raises(UserError, match="--resume"):
        _ = cache.entries
    list(cache.fill())
    assert len(cache.images) == 12


@pytest.mark.parametrize("change", ["caption", "pixels", "added", "removed"])
def test_the_changed_files_of_a_folder_are_named(source, change):
    cache_of(source)
    if change == "caption":
        (source / "02.txt").write_text("something else", encoding="utf-8")
    elif change == "pixels":
        Image.new("RGB", (48, 64)).save(source / "02.png")
    elif change == "added":
        shutil.copy(source / "02.png", source / "02b.png")
        shutil.copy(source / "02.txt", source / "02b.txt")
    else:
        (source / "02.png").unlink()
    assert cache_of(source).changed_files() == ["02b.png" if change == "added" else "02.png"]


def test_a_copied_or_vanished_folder_is_no_change(source):
    cache = cache_of(source)
    for file in source.glob("*.png"):
        os.utime(file, (1, 1))
    assert cache_of(source).changed_files() == []
    shutil.rmtree(source)
    assert cache.changed_files() == []


def test_a_copied_folder_with_files_that_cannot_be_used_is_no_change(source):
    for i in range(6):
        (source / f"{i:02}.png").write_bytes(b"nothing")
    cache = cache_of(source)
    for file in source.glob("*.png"):
        os.utime(file, (1, 1))
    assert cache.changed_files() == []


def test_images_in_an_archive_are_compared_too(source):
    archive = source.parent / shutil.make_archive(str(source), "zip", source)
    assert cache_of(archive).changed_files() == []
    Image.new("RGB", (48, 64)).save(source / "02.png")
    shutil.make_archive(str(source), "zip", source)
    assert cache_of(archive).changed_files() == ["02.png"]


def test_one_file_with_the_size_and_time_that_it_had_is_not_searched(source, monkeypatch):
    archive = source.parent / shutil.make_archive(str(source), "tar", source)
    cache = cache_of(archive)
    searches, find = [], ImageCache.find
    monkeypatch.setattr(ImageCache, "find", lambda self: searches.append(self) or find(self))
    assert cache.changed_files() == [] and not searches
    os.utime(archive, (1, 1))
    assert cache.changed_files() == []
    assert searches == [cache]


def test_only_files_with_another_size_or_time_are_read_again(source):
    cache = cache_of(source)
    os.utime(source / "03.png", (1, 1))
    found, read = cache.find(), []
    items = [item._replace(read=lambda item=item: read.append(item.name) or item.read()) for item in found.items]
    assert cache.changes(found._replace(items=items)) == []
    assert read == ["03.png"]

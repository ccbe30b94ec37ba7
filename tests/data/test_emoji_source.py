"""A set of emoji as a source of training data: its cache and its batches."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from emoji_folder import THINGS, emoji_folder, small_set
from emoji_words import WORDS, words_of
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from minidiff.data import emoji_source
from minidiff.data.emoji_source import EmojiCache, EmojiSource
from minidiff.data.sources import full_name, kind_of, open_source
from minidiff.errors import UserError
from minidiff.training.presets import DataSettings, Settings


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emoji")
    cache = EmojiCache(folder / "data", emoji_folder(folder), 32)
    assert list(cache.fill()) == [(done, 30) for done in range(1, 31)]
    return cache


def source_of(things=THINGS, size=32, seed=0, **options):
    words = words_of(tuple(things), size)
    return EmojiSource(SimpleNamespace(emoji=words.emoji, source="SET"), size, seed, 1000, **options)


@pytest.fixture(scope="module")
def source():
    return source_of(size=16)


@pytest.fixture(autouse=True)
def fewer_captions(monkeypatch):
    monkeypatch.setattr(emoji_source, "CAPTIONS", 1000)


def test_the_cache_keeps_names_tags_groups_tones_and_alpha(cache):
    found = {one.file: one for one in EmojiCache(cache.folder, cache.source, 32).emoji}
    for codes, (name, tags, group, image) in small_set().items():
        one = found[f"{codes}.png"]
        assert (one.name, one.tags, one.group, one.has_tone) == (name, tags, group, ": " in name and group == "people")
        assert_array_equal(one.image, np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS)))
        assert one.image[..., 3].min() == 0 and one.image[..., 3].max() == 255
    assert len(found) == 30


def test_a_changed_set_is_noticed_and_a_vanished_one_does_not_matter(tmp_path):
    cache = EmojiCache(tmp_path / "data", emoji_folder(tmp_path), 16)
    list(cache.fill())
    assert cache.changed_files() == []
    table, text = cache.source / "metadata.jsonl", (cache.source / "metadata.jsonl").read_text("utf-8")
    table.write_text(text.replace('"lemon"', '"lime"'), "utf-8")
    assert cache.changed_files() == ["1f34b.png"]
    table.write_text(text, "utf-8")
    Image.new("RGBA", (32, 32), "red").save(cache.source / "1f34b.png")
    assert cache.changed_files() == ["1f34b.png"]
    table.unlink()
    assert cache.changed_files() == []
    assert EmojiCache(cache.folder, cache.source, 16).emoji[0].name == "flag: France"


def test_a_cache_that_was_not_read_to_its_end_is_not_whole(tmp_path):
    cache = EmojiCache(tmp_path / "data", emoji_folder(tmp_path), 16)
    reading = cache.fill()
    next(reading)
    reading.close()
    assert not cache.whole
    list(cache.fill())
    assert cache.whole and len(cache.emoji) == 30


@pytest.mark.parametrize("made", [True, False])
def test_another_folder_is_refused_with_what_to_do(tmp_path, made):
    if made:
        Image.new("RGB", (32, 32)).save(tmp_path / "a cat.png")
    folder = tmp_path if made else tmp_path / "nowhere"
    with pytest.raises(UserError, match=r"has no metadata\.jsonl with the names of emoji: .* by minidiff data emoji"):
        list(EmojiCache(tmp_path / "data", folder, 16).fill())


def test_rows_without_tags_and_without_group_are_read(tmp_path):
    cache = EmojiCache(tmp_path / "data", emoji_folder(tmp_path, THINGS[:3]), 16)
    (cache.source / "metadata.jsonl").write_text(
        '{"file_name": "1f34b.png", "text": "lemon"}\n{"file_name": "1f34e.png", "text": "apple", "tags": null}\n'
        '{"file_name": "./1f34f.png", "text": "pear", "tags": [1], "group": 2}\nno row\n', "utf-8-sig")
    list(cache.fill())
    assert [(one.name, one.tags, one.group) for one in cache.emoji] == [
        ("lemon", (), ""), ("apple", (), ""), ("pear", ("1",), "2")]


def test_a_source_is_opened_by_its_name(cache):
    assert kind_of("emoji:somewhere") == "emoji"
    name = full_name(f"emoji:{cache.source}/../emoji")
    assert name == f"emoji:{cache.source}"
    source = open_source(Settings(size=32, data=DataSettings(name, free_wording=0.25)), cache.folder)
    assert (source.kind, source.name, source.size, source.free_wording) == ("emoji", name, 32, 0.25)
    assert source.training_batch(0, 4).images.shape == (4, 32, 32, 3)


def test_batches_are_a_function_of_seed_and_index():
    one, same, other = source_of(), source_of(), source_of(seed=1)
    for draw in ("training_batch", "contrastive_batch", "latent_batch"):
        later, batch = getattr(one, draw)(3, 8), getattr(one, draw)(1, 8)
        again = getattr(same, draw)(1, 8)
        assert batch.captions == again.captions
        assert_array_equal(batch.images, again.images)
        assert batch.captions != later.captions
        assert batch.captions != getattr(other, draw)(1, 8).captions
    assert one.training_batch(0, 20).captions != one.latent_batch(0, 20).captions
    assert one.captions() == same.captions()


def test_images_are_in_range_and_those_of_their_captions(source):
    batch = source.latent_batch(0, 64)
    assert batch.images.dtype == np.float32 and batch.images.min() >= -1 and batch.images.max() <= 1
    by_name = {one.name: one for one in source.words.emoji}
    plain = [(image, by_name[caption]) for image, caption in zip(batch.images, batch.captions, strict=True)
             if caption in by_name]
    assert len(plain) > 5
    for image, one in plain:
        alpha = one.image[..., 3:] / 255
        assert_allclose(image, (one.image[..., :3] * alpha + 255 * (1 - alpha)) / 127.5 - 1, rtol=0, atol=0.02)


@pytest.mark.parametrize("free_wording, names", [(0.0, 1000), (0.5, 500), (0.75, 250), (1.0, 0)])
def test_every_name_is_encoded_equally_often_but_for_one_time(free_wording, names):
    source = source_of(size=16, free_wording=free_wording)
    drawn, plain = Counter(), {one.name for one in source.words.emoji}
    batches = [source.latent_batch(index, 96) for index in range(11)]
    assert [len(batch.captions) for batch in batches] == [96] * 10 + [40]
    shown = [caption.removeprefix("an ").removeprefix("a ").split(", ")[0]
             for batch in batches for caption in batch.captions]
    drawn = Counter(name for name in shown if name in plain)
    assert abs(drawn.total() - names) <= 25  # a thing may also be called by a colour: "green apple"
    counts = [drawn[one.name] for one in source.words.named.seen if " apple" not in one.name]
    assert max(counts) - min(counts) <= 1


def test_no_caption_occurs_twice_in_a_contrastive_batch_and_half_are_twins(source):
    for index in range(4):
        captions = source.contrastive_batch(index, 32).captions
        assert len({*captions}) == len(captions) == 32


@pytest.mark.parametrize("draw", ["training_batch", "contrastive_batch", "latent_batch"])
def test_held_out_skin_tones_are_never_trained_on(source, draw):
    [out] = source.words.named.held_out
    captions = [caption for index in range(3) for caption in getattr(source, draw)(index, 100).captions]
    assert any(caption.startswith("waving hand: ") for caption in captions)
    assert not [caption for caption in captions if caption.startswith(out.name)]
    assert not [caption for caption in source.captions() if caption.startswith(out.name)]


def test_held_out_images_are_tones_and_scenes_and_the_same_each_time(source):
    few, many = source.held_out(3), source.held_out(12)
    assert few.captions[0] == "waving hand: light skin tone"
    assert few.captions == many.captions[:3] and len(many.captions) == 12
    training = {caption for index in range(3) for caption in source.training_batch(index, 100).captions}
    assert not training & {*many.captions}


def test_the_tokenizer_learns_every_word_of_names_tags_and_scenes(source):
    words = {word for caption in source.captions() for word in caption.split()}
    assert {"penguin", "antarctica", "penguins", "cyan", "above", "background", "tone"} <= words
    assert "background" not in " ".join(source_of(free_wording=0.0).captions())


@pytest.mark.parametrize("things, least", [(THINGS[-3:-2], 2), (THINGS[:1], 3), (THINGS[:2], 5)])
def test_a_small_set_has_smaller_contrastive_batches(things, least):
    captions = source_of(things).contrastive_batch(0, 500).captions
    assert least <= len({*captions}) == len(captions) < 500


def test_a_set_without_words_for_scenes_is_shown_by_its_names():
    flags = [(codes, f"flag: {codes}", (), "flags", *look) for codes, _, _, _, *look in THINGS[:4]]
    source = source_of(flags)
    assert source.free_wording == 0
    names = {one[1] for one in flags}
    assert {*source.training_batch(0, 40).captions} == {*source.latent_batch(0, 40).captions} == names
    assert {*source.captions()} == {*source.contrastive_batch(0, 8).captions} == names
    assert source.held_out(4).captions == [] and source.held_out(4).images.shape == (0, 32, 32, 3)
    with pytest.raises(UserError, match="at least two different captions"):
        source_of(flags[:1]).contrastive_batch(0, 8)


def test_a_set_without_skin_tones_holds_out_scenes():
    source = source_of([one for one in THINGS if one[3] != "people"])
    assert len(source.held_out(5).captions) == 5
    assert WORDS.kinds == words_of([one for one in THINGS if one[1] != "astronaut"]).kinds

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidiff.data.scene_captions import PLAIN, SYNONYMS, WORDS, captions_of, parse_caption, worded
from minidiff.data.scenes import BACKGROUNDS, COLOURS, PLACES, RELATIONS, SHAPES, SIZES, draw_scene
from minidiff.tokenizer import Tokenizer
from minidiff.training.presets import TextSettings

splits = st.sampled_from(["seen", "held_out"])
seeds = st.integers(0, 2**32)


def facts(scene):
    """What a caption states."""
    return ([(thing.colour, thing.shape) for thing in scene.objects], scene.size, scene.place, scene.relation,
            scene.names_background and scene.background)


@pytest.fixture(scope="module")
def sentences():
    rng = np.random.default_rng(0)
    return [worded(rng, draw_scene(rng)) for _ in range(6000)]


@pytest.mark.parametrize("caption", [
    "a red ring",
    "a large green circle at the top left",
    "a small pink star in the center on a gray background",
    "a blue heart and an orange cross",
    "an orange square left of a purple triangle on a black background",
])
def test_plain_captions_read_back_as_written(caption):
    assert parse_caption(caption).caption == caption


@pytest.mark.parametrize("text, caption", [
    ("an orange star", "an orange star"),
    ("a orange star", "an orange star"),
    ("red circle", "a red circle"),
    ("The tiny violet rhombus, in the middle.", None),
    ("The tiny violet rhombus in the middle.", "a small purple diamond in the center"),
    ("there is a big aqua box in the lower left corner on black",
     "a large cyan square at the bottom left on a black background"),
    ("a picture of one golden disc to the right of one grey hoop", None),
    ("a picture of one golden disc to the right of one turquoise hoop against a grey background",
     "a yellow circle right of a cyan ring on a gray background"),
    ("blue plus under orange heart with a white background",
     "a blue cross below an orange heart on a white background"),
])
def test_other_words_mean_the_same(text, caption):
    scene = parse_caption(text)
    assert (scene and scene.caption) == caption


@settings(max_examples=100, deadline=None)
@given(seeds, splits)
def test_parsing_inverts_captions_in_any_words(seed, split):
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, split)
    for text in (scene.caption, worded(rng, scene)):
        assert facts(parse_caption("  " + text.upper() + ". ")) == facts(scene)
    assert parse_caption(scene.caption).caption == scene.caption


@pytest.mark.parametrize("text", ["", "a red", "a small red circle and a blue ring", "a mauve circle", "red  and blue",
                                  "a red circle in the center left of a blue ring", "a red circle and a blue ring x"])
def test_other_texts_are_no_captions(text):
    assert parse_caption(text) is None


def test_a_word_has_one_meaning():
    plain = {*COLOURS, *BACKGROUNDS, *SHAPES, *SIZES, *PLACES, *RELATIONS}
    assert set(SYNONYMS) <= plain
    assert not plain & set(PLAIN) and len(PLAIN) == sum(map(len, SYNONYMS.values()))


def test_every_synonym_is_said_about_as_often_as_the_plain_word(sentences):
    said = Counter(found for text in sentences for found in re.findall(r"\b(?:diamond|rhombus|ring|hoop)\b", text))
    assert 0.8 < said["rhombus"] / said["diamond"] < 1.25 and 0.8 < said["hoop"] / said["ring"] < 1.25
    text = "\n".join(sentences)
    assert all(re.search(rf"\b{re.escape(words)}\b", text) for words in PLAIN)


def test_the_words_are_those_of_all_sentences(sentences):
    rng = np.random.default_rng(2)
    plain = [draw_scene(rng, split).caption for split in ("seen", "held_out") for _ in range(1000)]
    assert {word for text in sentences + plain for word in text.split()} == set(WORDS)


def test_an_stands_before_vowels_only_and_every_opening_has_an_article(sentences):
    assert not [text for text in sentences if re.search(r"\ban (?!orange|aqua|image)", text)]
    assert not [text for text in sentences if re.match(r"(there is|an? \w+ of) (?!an? |the |one )", text)]
    assert any("a orange" in text for text in sentences)


def test_free_wording_is_the_fraction_of_captions_in_other_words():
    rng = np.random.default_rng(1)
    scenes = [draw_scene(rng) for _ in range(2000)]
    assert captions_of(rng, scenes, 0.0) == [scene.caption for scene in scenes]
    changed = [text != scene.caption for text, scene in zip(captions_of(rng, scenes, 1.0), scenes, strict=True)]
    assert np.mean(changed) > 0.9
    half = [text != scene.caption for text, scene in zip(captions_of(rng, scenes, 0.5), scenes, strict=True)]
    assert abs(np.mean(half) - np.mean(changed) / 2) < 0.05


def test_each_word_is_one_token_and_no_sentence_is_cut(sentences):
    """With the vocabulary of the presets, learned from the captions of a run."""
    sizes = TextSettings()
    tokenizer = Tokenizer.train(sentences[:2000], sizes.vocab_size, sizes.max_length)
    for text in sentences[2000:]:
        ids = tokenizer.encode(text)
        assert len(ids) == len(text.split()) + 2 <= sizes.max_length, text

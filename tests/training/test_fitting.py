"""Settings that fit themselves to a person's images and captions."""

from __future__ import annotations

import numpy as np
import pytest

from minidiff.data.reading.found import Found, Item
from minidiff.tokenizer import Tokenizer
from minidiff.training import presets
from minidiff.training.fitting import fit, size_for
from minidiff.training.setting_help import sentence


def found(*captions, side=64):
    pixels = np.zeros((side, side + 8, 3), np.uint8)
    return Found("arrays", [Item(str(i), caption, lambda: pixels) for i, caption in enumerate(captions)], [])


@pytest.mark.parametrize("side, multiple, expected", [
    (64, 16, 64), (500, 16, 64), (63, 16, 48), (40, 16, 32), (10, 16, 16), (40, 8, 40), (9, 8, 16), (None, 16, 64)])
def test_the_size_is_the_largest_that_fits_image_and_model(side, multiple, expected):
    assert size_for(side, multiple) == expected


def test_a_model_of_the_fitted_size_can_halve_it_as_often_as_it_does():
    assert fit(presets.TINY, found("a", "b", side=40)).size == 32
    deeper = presets.override(presets.TINY, "unet.block_out_channels", "16,16,32,32")
    assert fit(deeper, found("a", "b", side=63)).size == 32
    assert fit(presets.TINY, found("a", "b", side=63)).size == 48


@pytest.mark.parametrize("captions", [
    ["a cat", "a dog"], ["an extraordinarily long caption, " * 4, "x"], ["語語語語語語語語語語語語", "ein Wort"],
    ["word " * 200, "x"]])
def test_no_caption_is_cut_off_before_77_tokens_and_the_vocabulary_has_every_word(captions):
    settings = fit(presets.TINY, found(*captions))
    tokenizer = Tokenizer.train(captions, settings.text.vocab_size, settings.text.max_length)
    lengths = [len(tokenizer.encode(caption)) for caption in captions]
    assert max(16, min(77, max(lengths))) <= settings.text.max_length <= 77
    words = [word for caption in captions for word in caption.split(" ") if word.isalpha()]
    assert {len(tokenizer.encode(word)) for word in words} == {3}


def test_many_words_share_a_vocabulary_of_8192_tokens(rng):
    words = ["".join(rng.choice(list("abcdefghij"), 9)) for _ in range(4000)]
    assert fit(presets.TINY, found(*words)).text.vocab_size == 8192


def test_what_was_chosen_stays_and_what_does_not_depend_on_data_too():
    chosen = {"size", "text.max_length", "text.vocab_size", "train_contrastive.batch_size"}
    assert fit(presets.TINY, found("a", "b", side=40), chosen) == presets.TINY
    fitted = fit(presets.TINY, found("a", "b", "c", side=40))
    assert fitted.train_contrastive.batch_size == 3
    assert fitted.train_diffusion == presets.TINY.train_diffusion


def test_every_setting_is_explained_in_a_sentence():
    for name in presets.setting_names():
        assert len(sentence(name)) > 10, name

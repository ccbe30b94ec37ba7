"""The scores of a model that draws emoji."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from emoji_folder import THINGS
from emoji_words import WORDS, words_of
from painter import Painter
from tiny_pipeline import SIDE, tiny_pipeline

from minidiff.data.emoji.judge import Judge, whole
from minidiff.data.emoji.vocabulary import KINDS
from minidiff.data.emoji_source import EmojiSource
from minidiff.data.scenes import to_float
from minidiff.errors import UserError
from minidiff.evaluation import evaluate_emoji
from minidiff.evaluation.emoji import prompts, retrieval, spread
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import CLIPConfig, VisionConfig
from minidiff.nn.module import Module, Parameter


def source_of(words, size, free_wording=0.5):
    return EmojiSource(SimpleNamespace(emoji=words.emoji, source="SET"), size, 0, 100, free_wording)


SOURCE = source_of(WORDS, 64)


def true_images(source, count):
    return to_float(np.stack([scene.image(source.size) for scenes in prompts(source, count).values()
                              for scene in scenes]))


def test_a_model_that_draws_true_images_has_all_right_and_copies_no_more_than_true_ones():
    scores = evaluate_emoji(painter := Painter(true_images(SOURCE, 6)), None, SOURCE, 6)
    assert painter.prompts == [scene.caption for scenes in prompts(SOURCE, 6).values() for scene in scenes]
    assert scores["named"] == {"all": 1, "plain": 1, "skin_tones": 1, "count": 6}
    assert scores["composed"] == {"all": 1, "skin_tones": 1, "count": 1}
    assert scores["by_encoder"] == {"named": 1, "composed": 1}
    assert scores["words"] == {kind: {"seen": 1, "held_out": 1} for kind in KINDS}
    assert {*scores["judge"]["truth"].values(), *scores["judge"]["reconstruction"].values()} == {1}
    assert scores["psnr"] > 58
    assert scores["crispness"]["drawn"] == scores["crispness"]["truth"] > 0.25
    assert scores["copies"]["drawn_median"] == scores["copies"]["true_median"] > 0
    assert scores["copies"]["training_images"] == 29
    assert scores["settings"]["source"] == "emoji:SET" and scores["settings"]["names"] == 6


def test_a_model_that_draws_the_next_prompt_instead_has_hardly_any_right():
    scores = evaluate_emoji(Painter(np.roll(true_images(SOURCE, 6), -1, axis=0)), None, SOURCE, 6)
    assert scores["named"]["all"] == scores["composed"]["all"] == scores["by_encoder"]["named"] == 0
    assert np.mean([rate for rates in scores["words"].values() for rate in rates.values()]) < 0.3
    assert scores["judge"]["truth"]["named"] == 1


def test_progress_sees_each_image_with_what_was_seen_in_it():
    seen = []
    evaluate_emoji(Painter(true_images(SOURCE, 2)), None, SOURCE, 2,
                   lambda found, total: (seen.append((total, one)) or one for one in found))
    assert {total for total, _ in seen} == {len(seen)} == {2 + 1 + 2 * 2 * len(KINDS)}
    assert seen[0][1].explanation == "red apple: saw red apple"
    assert all(one.right for _, one in seen)


def test_all_names_are_drawn_by_default_and_fewer_are_spread_evenly():
    assert spread([*range(10)], 4) == [0, 2, 5, 7]
    assert spread([*range(3)], None) == spread([*range(3)], 9) == [0, 1, 2]
    assert spread([], None) == []
    groups = prompts(SOURCE, None)
    assert [len(groups[name]) for name in ("named", "composed", "placed held_out")] == [29, 1, 200]
    assert [scene.caption for scene in groups["placed seen"]][:5] == [
        scene.caption for scene in prompts(SOURCE, 5)["placed seen"]]


@pytest.mark.parametrize("things, free_wording, kinds", [
    ([one for one in THINGS if one[3] != "people"], 0.5, {*KINDS}), (THINGS, 0.0, set()),
    ([one for one in THINGS if one[1] in ("cat", "dog", "octopus")], 0.5, {*KINDS} - {"coloured"}),
    ([one for one in THINGS if one[3] == "flags"], 0.5, {"described"})])
def test_what_a_set_has_no_words_for_is_left_out(things, free_wording, kinds):
    source = source_of(words_of(tuple(things)), 64, free_wording)
    scores = evaluate_emoji(Painter(true_images(source, 2)), None, source, 2)
    assert {*scores["words"]} == kinds
    assert all(rate in (1, None) for rates in scores["words"].values() for rate in rates.values())
    assert (scores["copies"] is None) == (scores["composed"] == {"count": 0}) == (things is not THINGS)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


@pytest.mark.filterwarnings("ignore:.* prompts are not read as a whole")
def test_a_real_model_is_scored_the_same_each_time():
    pipe, source = tiny_pipeline(), source_of(words_of(size=SIDE), SIDE)
    image = VisionConfig(8, 16, 1, 2, image_size=SIDE, patch_size=8)
    clip = CLIPModel(np.random.default_rng(0), CLIPConfig(pipe.text_encoder.config, image, 4))
    scores = [evaluate_emoji(pipe, clip, source, 2) for _ in range(2)]
    assert json.loads(json.dumps(scores[0], allow_nan=False)) == scores[1]
    assert 0 <= scores[0]["named"]["all"] < 0.5
    assert 0 <= scores[0]["retrieval"]["named"] < 1


class Reader(Module):
    """A contrastive model whose embeddings are pixels; that of a caption, those of emoji `shift` after one it means."""

    def __init__(self, shift, size=64):
        self.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=size))
        self.shift, self.weight = shift, Parameter(np.zeros(1, np.float32))

    def tokenizer(self, captions):
        meant = {scene.caption: (scene.fitting or (scene.stickers[0].emoji,))[-1]
                 for scenes in prompts(SOURCE, 6).values() for scene in scenes}
        return np.array([[WORDS.emoji.index(meant[caption])] for caption in captions])

    def embed_text(self, ids):
        return self.embed_image(to_float(np.stack([whole(WORDS.emoji[(i + self.shift) % len(WORDS.emoji)])
                                                   for i in ids[:, 0]])))

    def embed_image(self, images):
        return images.reshape(len(images), -1), None


@pytest.mark.parametrize("shift, expected", [(0, 1), (1, 0)])
def test_retrieval_is_that_of_an_emoji_that_the_caption_means(shift, expected):
    reader = Reader(shift)
    found = retrieval(reader, reader.tokenizer, Judge(WORDS), prompts(SOURCE, 6))
    assert {*found} == {"named", "composed", "described seen", "described held_out"}
    assert np.mean([*found.values()]) == pytest.approx(expected, abs=0.15)


def test_retrieval_of_images_of_another_size_is_not_known():
    reader = Reader(0, size=32)
    assert {*retrieval(reader, reader.tokenizer, Judge(WORDS), prompts(SOURCE, 6)).values()} == {None}


def test_another_size_is_an_error():
    with pytest.raises(UserError, match="draws 16 x 16 pixels, the emoji have 64: open them in its size"):
        evaluate_emoji(tiny_pipeline(), None, SOURCE)


def test_no_prompts_is_an_error_that_says_so():
    with pytest.raises(UserError, match="0 prompts"):
        evaluate_emoji(tiny_pipeline(), None, SOURCE, 0)

"""The scores of a model for any source of captioned images."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from memory_source import MemorySource
from numpy.testing import assert_allclose
from painter import Painter
from tiny_pipeline import SIDE, tiny_pipeline

from minidiff.data.scene_source import SceneSource
from minidiff.errors import UserError
from minidiff.evaluation import drawings, evaluate_images
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import CLIPConfig, TextConfig, VisionConfig
from minidiff.nn.module import Module, Parameter

COUNT = 96


class Means(Module):
    """A contrastive model without knowledge of text; the embedding of an image is the means of its colours and more."""

    def __init__(self, size=16):
        self.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=size))
        self.weight = Parameter(np.zeros(1, np.float32))

    def embed_text(self, ids):
        return np.random.default_rng(ids[0, 0]).standard_normal((len(ids), 6)), None

    def embed_image(self, images):
        return np.concatenate([images.mean(axis=(1, 2)) + 1.1, images.std(axis=(1, 2))], axis=1), None


@pytest.fixture(scope="module")
def source():
    return MemorySource(count=300, held_out_count=COUNT)


def test_a_model_that_draws_true_images_has_the_scores_of_true_images(source):
    more = MemorySource(count=COUNT, held_out_count=0, seed=5)
    scores = evaluate_images(painter := Painter(more.images), Means(), source, source, COUNT)
    assert painter.prompts == source.held_out(COUNT).captions
    assert_allclose(scores["frechet"]["distance"], scores["frechet"]["of_training"],
                    rtol=0, atol=3 * (scores["frechet"]["error"] + scores["frechet"]["of_training_error"]))
    assert abs(scores["kernel"]["distance"]) < 4 * scores["kernel"]["error"]
    assert scores["copies"]["copied"] < 0.5
    assert scores["images"] == COUNT and scores["copies"]["training_images"] == 300
    assert scores["psnr"] > 58


def test_a_model_that_draws_something_else_is_far_away(source):
    noise = np.random.default_rng(0).uniform(-1, 1, (COUNT, 16, 16, 3))
    scores = evaluate_images(Painter(noise), Means(), source, source, COUNT)
    assert scores["frechet"]["distance"] > scores["frechet"]["of_training"] + 5 * scores["frechet"]["error"]
    assert scores["kernel"]["distance"] > 5 * scores["kernel"]["error"]
    assert scores["copies"]["copied"] == 0
    assert scores["copies"]["drawn_median"] > scores["copies"]["true_median"]


def test_a_model_that_draws_its_training_images_is_found_out(source):
    scores = evaluate_images(Painter(source.images[:COUNT]), Means(), source, source, COUNT)
    assert scores["copies"]["copied"] == 1
    assert scores["copies"]["drawn_median"] == 0


def test_image_i_is_drawn_from_seed_i_and_progress_sees_each(source):
    seen = []
    few, many = Painter(source.images), Painter(source.images)
    evaluate_images(few, None, source, source, 5)
    evaluate_images(many, None, source, source, 40,
                    lambda found, total: (seen.append(total) or image for image in found))
    assert seen == [40] * 40
    assert_allclose(many.noise[:5], few.noise, rtol=0, atol=0)
    assert len({noise.tobytes() for noise in many.noise}) == 40


def test_without_an_image_encoder_what_needs_one_is_none_and_the_rest_is_there(source):
    scores = evaluate_images(Painter(source.images), None, source, source, 8)
    assert scores["frechet"] is scores["kernel"] is scores["recall"] is scores["features"] is None
    assert scores["psnr"] > 58 and scores["copies"]["copied"] == 1


def test_without_training_images_what_needs_them_is_none_and_the_rest_is_the_same(source):
    scores, others = (evaluate_images(Painter(source.images), Means(), source, one, 8) for one in (None, source))
    assert scores.pop("copies") is None and others.pop("copies")["copied"] == 1
    for name in ("frechet", "kernel"):
        assert scores[name]["of_training"] is scores[name]["of_training_error"] is None
        others[name] |= {"of_training": None, "of_training_error": None}
    assert scores == others


def test_prompts_that_are_cut_off_are_counted_in_one_warning():
    captions = [f"a red {'red ' * i}heart" for i in range(40)]
    with pytest.warns(UserWarning) as caught:
        drawn = [*drawings(tiny_pipeline(num_inference_steps=1), captions)]
    [warning] = caught
    assert str(warning.message).startswith("32 of 40 prompts are not read as a whole, such as: 'a red ")
    assert len(drawn) == 40


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_images_are_an_error_that_says_so(source, count):
    with pytest.raises(UserError, match=rf"{count} held-out images are too few .* --data\.held_out_fraction"):
        evaluate_images(Painter(source.images), None, MemorySource(held_out_count=count), source, 400)
    with pytest.raises(UserError, match=f"{count} training images are too few"):
        evaluate_images(Painter(source.images), None, source, MemorySource(count=count), 400)


def test_other_sizes_are_errors_that_say_so(source):
    with pytest.raises(UserError, match="draws 16 x 16 pixels, the images have 24"):
        evaluate_images(Painter(source.images), None, MemorySource(size=24), source, 8)
    with pytest.raises(UserError, match="image encoder reads 32"):
        evaluate_images(Painter(source.images), Means(32), source, source, 8)


@pytest.mark.filterwarnings("ignore:.* prompts are not read as a whole")
@pytest.mark.parametrize("source", [SceneSource(SIDE, 0, 50), MemorySource(SIDE)], ids=["scenes", "memory"])
def test_a_real_model_is_scored_and_the_scores_are_json_and_the_same_each_time(source):
    pipe = tiny_pipeline()
    text = TextConfig(len(pipe.tokenizer), 8, 16, 1, 2, 12, eos_token_id=pipe.tokenizer.end_id)
    clip = CLIPModel(np.random.default_rng(0), CLIPConfig(text, VisionConfig(8, 16, 1, 2, image_size=SIDE,
                                                                            patch_size=8), 8))
    scores = [evaluate_images(pipe, clip, source, source, 12) for _ in range(2)]
    assert json.loads(json.dumps(scores[0], allow_nan=False)) == scores[1]
    assert scores[0]["frechet"]["distance"] > 0 and 0 <= scores[0]["recall"]["drawn"] <= 1
    assert scores[0]["recall"]["among"] == scores[0]["images"] == 12
    assert scores[0]["settings"]["source"] == source.name

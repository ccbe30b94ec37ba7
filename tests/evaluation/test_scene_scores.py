"""The scores of scenes, whose judge reads every image."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from minidiff.backend import normal
from minidiff.data.batches import evaluation_scenes, in_other_words
from minidiff.data.judge import satisfies
from minidiff.data.scene_captions import parse_caption
from minidiff.data.scenes import HELD_OUT, PAIRS, images_of, to_float
from minidiff.errors import UserError
from minidiff.evaluation import colour_error, draw, evaluate, judged, reconstruct, retrieval, word_order
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig, VisionConfig
from minidiff.models.unet import UNet2DConditionModel
from minidiff.nn.module import Module, Parameter
from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer

COUNT = 40
SCHEDULER = {"_class_name": "UniPCMultistepScheduler", "num_inference_steps": 12, "guidance_scale": 3.0}
SCENES = [scene for split in ("seen", "held_out") for scene in evaluation_scenes(256, split)]
LOOKUP = {scene.caption: scene for scene in SCENES}
REWORDED = dict(zip(in_other_words(SCENES[:256]), SCENES[:256], strict=True))


class Painter:
    """A pipeline that paints the scene of a caption, after `change`; its autoencoder adds `blur` to images."""

    def __init__(self, change=lambda scene: scene, blur=0.0):
        self.change, self.calls, self.noise, self.seeds = change, [], [], []
        self.unet = SimpleNamespace(config=SimpleNamespace(sample_size=16, out_channels=4))
        self.vae, self.scheduler = PixelAutoencoder(blur), SCHEDULER
        self.tokenizer = caption_ids

    def __call__(self, prompts, latents, seed):
        self.calls.append(len(prompts))
        self.seeds.extend(range(seed, seed + len(latents)))
        self.noise.extend(latents)
        return [Image.fromarray(self.change((REWORDED | LOOKUP)[prompt]).image()) for prompt in prompts]


class PixelAutoencoder(Module):
    def __init__(self, blur):
        self.config = SimpleNamespace(downsampling=4)
        self.weight = Parameter(np.float32([blur]))

    def encode(self, x):
        assert x.dtype == np.float32
        return (x, np.full_like(x, np.nan)), None

    def decode(self, z):
        return z + self.weight.value, None


def caption_ids(captions):
    """A caption's token is its place in LOOKUP; those that are not there have another."""
    known = {caption: index for index, caption in enumerate(LOOKUP)}
    return np.array([[known.get(caption, 30_000 + index)] for index, caption in enumerate(captions)])


caption_ids.unread = lambda caption: ""


@cache
def image_ids():
    captions = list(LOOKUP)
    return {to_float(scene.image()).tobytes(): captions.index(scene.caption) for scene in SCENES}


class Embeddings(Module):
    """A contrastive model that knows which image belongs to which caption, up to `noise`."""

    def __init__(self, noise=0.0):
        self.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=64))
        self.noise, self.weight = noise, Parameter(np.zeros(1, np.float32))

    def embed_text(self, ids):
        return normal(ids[:, 0], (40,)), None

    def embed_image(self, images):
        ids = [image_ids()[image.tobytes()] for image in images]
        lengths = np.linspace(1, 9, len(ids))[:, None]
        return lengths * (normal(ids, (40,)) + self.noise * normal([i + 20_000 for i in ids], (40,))), None


def recoloured(scene, colours):
    return replace(scene, objects=tuple(replace(thing, colour=colours.get(thing.colour, thing.colour))
                                        for thing in scene.objects))


def test_true_images_score_one_everywhere():
    scores = evaluate(Painter(), count=COUNT)
    assert scores["seen"] == scores["held_out"] == scores["other_words"] == 1
    for split in ("seen", "held_out"):
        assert set(scores["by_kind"][split]) == {"one", "placed", "two", "related"}
        assert set(scores["by_attribute"][split]) == {
            "count", "shape", "colour", "size", "place", "relation", "background"}
        assert {*scores["by_kind"][split].values(), *scores["by_attribute"][split].values()} == {1}
        assert scores["objects"][split] == {"too_many": 0, "too_few": 0}
    assert scores["judge"]["truth"] == scores["judge"]["reconstruction"] == 1
    assert scores["colour_error"] < 0.5
    assert list(scores["crispness"]) == ["drawn", "truth", "reconstruction"]
    assert_allclose([*scores["crispness"].values()], 0.85, rtol=0, atol=0.01)
    assert scores["retrieval"] is None and scores["retrieval_held_out"] is None
    assert scores["word_order"] is None and scores["word_order_held_out"] is None


def test_scores_are_json_and_the_same_each_time():
    scores = [evaluate(Painter(lambda scene: recoloured(scene, {"red": "blue"}), blur=0.1), Embeddings(1.0), count=9)
              for _ in range(2)]
    assert json.loads(json.dumps(scores[0], allow_nan=False)) == scores[1]


def test_the_settings_that_drew_the_images_are_stated():
    assert evaluate(Painter(), count=3)["settings"] == {
        "count": 3, "scene_seed": 0, "noise_seeds": [0, 2], "sampler": "unipc", "num_inference_steps": 12,
        "guidance_scale": 3.0}


def test_a_wrong_colour_lowers_the_score_of_colours_only():
    scores = evaluate(Painter(lambda scene: recoloured(scene, {"red": "pink", "blue": "pink"})), count=COUNT)
    for split in ("seen", "held_out"):
        drawn = evaluation_scenes(COUNT, split)
        touched = np.mean([bool({"red", "blue"} & {thing.colour for thing in scene.objects}) for scene in drawn])
        assert 0.2 < touched < 0.8
        assert_allclose(scores[split], 1 - touched, rtol=0, atol=1e-4)
        assert_allclose(scores["by_attribute"][split].pop("colour"), 1 - touched, rtol=0, atol=1e-4)
        assert set(scores["by_attribute"][split].values()) == {1}


def test_a_missing_object_is_counted_where_two_are_stated():
    scores = evaluate(Painter(lambda scene: replace(scene, objects=scene.objects[:1])), count=COUNT)
    for split in ("seen", "held_out"):
        pairs = np.mean([len(scene.objects) == 2 for scene in evaluation_scenes(COUNT, split)])
        assert_allclose(scores["objects"][split]["too_few"], pairs, rtol=0, atol=1e-4)
        assert scores["objects"][split]["too_many"] == 0
        assert scores["by_kind"][split] == {"one": 1, "placed": 1, "two": 0, "related": 0}


def test_images_of_other_captions_score_low():
    scenes = evaluation_scenes(COUNT)
    others = images_of(scenes[1:] + scenes[:1])
    assert np.mean([one.right for one in judged(scenes, others)]) < 0.1


def test_every_prompt_has_noise_of_its_own_whatever_the_batches():
    few, many = Painter(), Painter()
    list(draw(few, evaluation_scenes(5)))
    list(draw(many, evaluation_scenes(COUNT)))
    assert few.calls == [5] and many.calls == [32, 8]
    assert_allclose(many.noise[:5], few.noise, rtol=0, atol=0)
    assert len({noise.tobytes() for noise in many.noise}) == COUNT
    assert many.noise[0].shape == (16, 16, 4)
    assert many.seeds == [*range(COUNT)]


def test_progress_sees_every_image_and_can_keep_the_wrong_ones():
    wrong = []

    def watch(found, total):
        assert total == 3 * COUNT
        for one in found:
            wrong.extend([] if one.right else [one])
            yield one

    scores = evaluate(Painter(lambda scene: recoloured(scene, {"pink": "green"})), count=COUNT, progress=watch)
    right = scores["seen"] + scores["held_out"] + scores["other_words"]
    assert scores["seen"] == scores["other_words"]
    assert_allclose(len(wrong) / COUNT, 3 - right, rtol=0, atol=3e-4)
    assert [one.prompt for one in wrong[-2:]] == [prompt for prompt, scene in list(REWORDED.items())[:COUNT]
                                                  if "pink" in scene.caption][-2:]
    assert wrong and all("pink" in one.scene.caption for one in wrong)
    assert "green" in {found.colour for one in wrong for found in one.reading.objects}


def test_the_autoencoder_is_judged_apart_from_what_the_model_draws():
    scores = evaluate(Painter(blur=0.5), count=20)  # adds 64 of 255: gray is white, and colours are others
    assert scores["seen"] == scores["held_out"] == scores["judge"]["truth"] == 1
    assert scores["judge"]["reconstruction"] < 0.9
    assert scores["judge"]["reconstruction_by_attribute"]["colour"] < 0.9
    assert scores["psnr"] < 20


def test_reconstructions_are_rounded_images_of_the_same_scenes():
    true = images_of(evaluation_scenes(40))
    rebuilt = reconstruct(PixelAutoencoder(0.0), true)
    assert rebuilt.dtype == np.uint8
    assert_allclose(rebuilt, true, rtol=0, atol=0)


def test_colour_error_is_the_distance_to_the_named_colour_in_levels():
    scenes = evaluation_scenes(30)
    shifted = [(scene.image() + np.array([4, 0, 0])).clip(0, 255).astype(np.uint8) for scene in scenes]
    assert_allclose(colour_error(judged(scenes, shifted)), 4 / 3, rtol=0, atol=0.1)
    assert colour_error(judged(scenes[:1], [np.full((64, 64, 3), 250, np.uint8)])) is None


@pytest.mark.parametrize("split", ["seen", "held_out"])
def test_retrieval_is_one_where_every_caption_knows_its_image(split):
    assert retrieval(Embeddings(), caption_ids, 100, split) == 1


def test_retrieval_by_chance_is_how_often_any_image_satisfies_a_caption():
    scenes = evaluation_scenes(256)
    groups = [scenes[first:first + 64] for first in range(0, 256, 64)]
    chance = np.mean([satisfies(one, stated) for group in groups for one in group for stated in group])
    found = retrieval(Embeddings(1e3), caption_ids, 1, "seen")
    assert 1 / 64 <= chance < 0.1
    assert found < chance + 0.06


class Words(Module):
    """A contrastive model that knows the objects of all captions and images, and their order or not."""

    def __init__(self, scenes, second):
        self.config = SimpleNamespace(vision_config=SimpleNamespace(image_size=64))
        self.shown = {to_float(scene.image()).tobytes(): scene for scene in scenes}
        self.captions, self.weights = [], Parameter(np.array([1, second], np.float32))

    def tokenizer(self, captions):
        self.captions += captions
        return np.arange(len(self.captions) - len(captions), len(self.captions))[:, None]

    def embed_text(self, ids):
        return self.embed(parse_caption(self.captions[index]) for index in ids[:, 0]), None

    def embed_image(self, images):
        return self.embed(self.shown[image.tobytes()] for image in images), None

    def embed(self, scenes):
        names = [[PAIRS.index((thing.colour, thing.shape)) for thing in scene.objects] for scene in scenes]
        return (np.eye(len(PAIRS))[names] * self.weights.value[:, None]).sum(axis=1)


@pytest.mark.parametrize("split", ["seen", "held_out"])
@pytest.mark.parametrize(("second", "expected"), [(0.5, 1), (1, 0), (2, 1), (-1, 1)])
def test_word_order_is_told_by_who_knows_more_than_the_words(split, second, expected):
    model = Words(evaluation_scenes(256, split), second)
    assert word_order(model, model.tokenizer, 100, split) == expected


def test_held_out_prompts_begin_with_held_out_pairs():
    painter = Painter()
    shown = []
    evaluate(painter, count=10, progress=lambda found, total: (shown.append(one) or one for one in found))
    first = [(one.scene.objects[0].colour, one.scene.objects[0].shape) for one in shown]
    assert not set(first[:10]) & set(HELD_OUT) and set(first[10:20]) <= set(HELD_OUT)


def test_no_prompts_is_an_error_that_says_so():
    with pytest.raises(UserError, match="0 prompts"):
        evaluate(Painter(), count=0)


def test_models_that_learned_nothing_are_scored_by_the_real_pipeline():
    tokenizer = Tokenizer.train([*LOOKUP, *REWORDED], 1024, max_length=20)
    rng = np.random.default_rng(0)
    text = TextConfig(len(tokenizer), 16, 32, 1, 2, 20, eos_token_id=tokenizer.end_id)
    clip = CLIPModel(rng, CLIPConfig(text, VisionConfig(16, 32, 1, 2, image_size=64, patch_size=16), 8))
    unet = UNet2DConditionModel(rng, UNetConfig(
        4, 4, 16, (8, 16), ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=4))
    vae = AutoencoderKL(rng, AutoencoderConfig(block_out_channels=(4, 4, 8), layers_per_block=1, norm_num_groups=2))
    pipe = Pipeline(tokenizer, clip.text_model, unet, vae, SCHEDULER | {"num_inference_steps": 2})
    scores = [evaluate(pipe, clip, count=3) for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0]["seen"] == scores[0]["judge"]["reconstruction"] == 0
    assert scores[0]["judge"]["truth"] == 1
    assert 0 <= scores[0]["retrieval"] < 0.2

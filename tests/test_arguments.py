"""What is passed to a pipeline in a wrong type is one clear line; what is passed in a likely other form works."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from image_checks import assert_same, pixels
from numpy.testing import assert_array_equal
from PIL import Image
from tiny_pipeline import SIDE, tiny_pipeline

from minidiff import Pipeline
from minidiff.arguments import number
from minidiff.diffusion.scheduler import Scheduler
from minidiff.errors import UserError
from minidiff.tokenizer import Tokenizer

HEART = "a red heart"
WRONG = [b"x", [None], {1: 2}, object(), lambda: 1, np.zeros(3), np.array("x"), 1j, int]  # for every option
BLANK = np.zeros((SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


def refused(call, *arguments, **options):
    with pytest.raises(UserError) as error:
        call(*arguments, **options)
    message = str(error.value)
    assert message and "\n" not in message and len(message) < 500
    return message


@pytest.mark.parametrize(("option", "wrong"), [
    ("negative_prompt", [3, True, math.nan]), ("num_inference_steps", ["3", 2.5, math.nan, ""]),
    ("guidance_scale", ["3", math.nan, ""]), ("sampler", [3, math.nan, "x" * 10**5, ""]),
    ("seed", ["3", 2.5, math.nan]), ("num_images_per_prompt", ["3", 2.5, math.nan]),
    ("latents", ["3", 3, [[1.0]], math.nan, True]),
    ("init_image", [3, math.nan, [[1.0]], "x" * 10**5, ""]), ("strength", ["0.5", math.nan, 3]),
    ("mask", [3, math.nan, [[1.0]], "x" * 10**5, ""]), ("height", ["16", 2.5, math.nan]),
    ("width", ["16", 2.5, math.nan]),
    ("guidance_rescale", ["0.5", math.nan, 3]),
    ("guidance_interval", [3, "ab", (1,), (math.nan, 1), (1, math.nan), (1, "2"), (5, 1), (-math.inf, 1), ()])])
def test_every_option_of_a_wrong_type_is_refused(pipe, option, wrong):
    others = {"init_image": BLANK} if option in ("strength", "mask") else {}
    for value in [*WRONG, *wrong]:
        refused(pipe, HEART, **others | {option: value})


@pytest.mark.parametrize("prompt", [None, 3, b"a red heart", [None], ["a", 3], [b"a"], np.zeros(2), object(), True,
                                    "half \ud83d a letter"])
def test_prompts_are_texts(pipe, prompt):
    assert "prompt" in refused(pipe, prompt)


@pytest.mark.parametrize("value", [None, 3, b"model", [], object(), np.zeros(2), "x" * 10**6, "a\0b", "\ud800", "",
                                   "a/" * 3000])
def test_names_of_files_are_texts_or_paths(pipe, value, tmp_path):
    pipe.save_pretrained(tmp_path / "model")
    refused(Pipeline.from_pretrained, value)
    refused(pipe.load_lora, value)
    if value is None or not isinstance(value, str):
        refused(pipe.save_pretrained, value)
    for option in ("device", "prediction_type"):
        if value is not None and not (option == "prediction_type" and isinstance(value, str | list) and not value):
            refused(Pipeline.from_pretrained, tmp_path / "model", **{option: value})


@pytest.mark.parametrize("value", [10**400, 10**6000, -10**6000], ids=["float", "digits", "negative"])
def test_numbers_beyond_floats_are_refused(pipe, value):
    for option in ("guidance_scale", "seed", "num_inference_steps", "strength", "height", "guidance_rescale",
                   "sampler"):
        refused(pipe, HEART, init_image=BLANK, **{option: value})
    refused(pipe, HEART, guidance_interval=(0, value))
    refused(pipe, value)
    refused(Pipeline.from_pretrained, value)
    refused(pipe.save_pretrained, "model", dtype=value)


@pytest.mark.parametrize(("value", "bounds", "words"), [
    (math.inf, {}, ""), (5, {"high": 3}, " from -inf to 3"), (-1, {"low": 0}, " from 0 to inf"),
    (-1, {"low": 0, "high": 1}, " from 0 to 1")])
def test_a_number_out_of_bounds_is_told_them(value, bounds, words):
    assert refused(number, "g", value, **bounds) == f"g {value}: use a finite number{words}"


def test_latents_beyond_the_dtype_of_the_model_are_refused(pipe):
    assert "not all finite" in refused(pipe, HEART, latents=np.full((1, SIDE // 2, SIDE // 2, 4), 1e300))


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("value", [None, "x", 3, object()])
def test_the_parts_of_a_pipeline_are_what_they_are_called(pipe, place, value):
    parts = [pipe.tokenizer, pipe.text_encoder, pipe.unet, pipe.vae, pipe.scheduler]
    parts[place] = value
    assert "give a" in refused(Pipeline, *parts)


@pytest.mark.parametrize("value", [*WRONG, 3.5, -1])
def test_tokenizers_and_schedulers_take_what_they_can_use(pipe, value):
    for option in ("merges", "max_length", "pad_token", "added"):
        if not (option == "pad_token" and value is None):
            refused(Tokenizer, **{"merges": [], option: value})
    refused(Tokenizer.train, value, 600)
    refused(Tokenizer.train, ["a"], value)
    refused(Tokenizer.from_pretrained, value)
    refused(pipe.tokenizer.save_pretrained, value)
    for method in (pipe.tokenizer, pipe.tokenizer.encode, pipe.tokenizer.tokens_cut):
        refused(method, value)
    if not isinstance(value, bytes | dict):  # of whole numbers
        refused(pipe.tokenizer.decode, value)
    refused(Scheduler("ddim").steps, value)
    refused(Scheduler("ddim").steps, 5, value)


def test_a_clip_to_save_is_one(pipe, tmp_path):
    assert "clip" in refused(pipe.save_pretrained, tmp_path / "model", clip="clip")
    assert list(tmp_path.iterdir()) == []


def test_an_image_and_a_mask_may_be_names_of_files(pipe, tmp_path):
    rng = np.random.default_rng(0)
    image, mask = Image.fromarray(rng.integers(0, 256, BLANK.shape, np.uint8)), Image.new("L", (SIDE, SIDE), 255)
    image.save(tmp_path / "photo.png")
    mask.save(tmp_path / "mask.png")
    expected = pipe(HEART, init_image=image, mask=mask)
    assert_same(pipe(HEART, init_image=str(tmp_path / "photo.png"), mask=tmp_path / "mask.png"), expected)
    assert "cannot read gone.png: No such file" in refused(pipe, HEART, init_image="gone.png")
    assert "cannot read gone.png: No such file" in refused(pipe, HEART, init_image=image, mask=Path("gone.png"))


def test_numbers_may_be_numpys(pipe):
    one = pipe(HEART, guidance_scale=np.float32(3), num_inference_steps=np.int64(3), seed=np.uint8(2),
               width=np.int32(16))
    assert_array_equal(pixels(one), pixels(pipe(HEART, guidance_scale=3, num_inference_steps=3, seed=2)))
    assert_same(pipe((HEART, HEART), seed=2), pipe([HEART, HEART], seed=2))


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0, -1.0])
def test_guidance_of_one_or_less_draws_the_prompt_alone(pipe, scale):
    assert_array_equal(pixels(pipe(HEART, guidance_scale=scale)), pixels(pipe(HEART, guidance_scale=1.0)))


def test_any_number_of_images_takes_the_memory_of_a_few(pipe):
    first = next(pipe.stream(HEART, num_images_per_prompt=3_000_000))
    assert len(first.rows) == 64 and len(first.value[1]) == 64


def test_a_size_that_no_machine_has_memory_for_is_refused(pipe):
    for side in (2**40, 2**62, 2**70):
        refused(pipe, HEART, height=side)


def test_a_height_may_be_any_object_that_is_a_whole_number(pipe):
    class Side:
        def __init__(self, value):
            self.value = value

        def __index__(self):
            return self.value

    assert pipe("a red heart", num_inference_steps=1, height=Side(16), width=Side(16))[0].size == (16, 16)
    refused(pipe, "a red heart", height=Side(3))

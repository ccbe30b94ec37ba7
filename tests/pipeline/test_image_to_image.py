"""Image to image and inpainting, on a model of random weights."""

from __future__ import annotations

import numpy as np
import pytest
from image_checks import assert_other, assert_same, pixels
from numpy.testing import assert_array_equal
from PIL import Image
from tiny_pipeline import SIDE, STABLE_DIFFUSION, tiny_pipeline

from minidiff.data.images import as_image, to_pillow
from minidiff.errors import UserError
from minidiff.ops import no_grad

HEART, STAR = "a red heart", "a green star"


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def image():
    """16 x 16, every pixel another colour."""
    rng = np.random.default_rng(1)
    return Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def test_strength_zero_is_what_the_autoencoder_makes_of_the_image(pipe, image):
    with no_grad():
        (mean, _), _ = pipe.vae.encode(as_image(image)[None])
        decoded, _ = pipe.vae.decode(mean)
    kept = pipe([HEART, STAR], init_image=image, strength=0.0)
    assert_same(kept, to_pillow(decoded) * 2)


@pytest.mark.parametrize(("strength", "steps"), [(0.0, 0), (0.3, 3), (0.55, 5), (1.0, 10)])
def test_strength_is_the_fraction_of_steps_that_are_taken(pipe, image, strength, steps):
    names = [moment.name for moment in pipe.stream(HEART, init_image=image, strength=strength,
                                                   num_inference_steps=10)]
    assert names.count("sampling") == steps


def test_an_image_may_be_of_pillow_or_an_array_of_bytes_or_of_floats(pipe, image):
    drawn = pipe(HEART, init_image=image, num_inference_steps=5)
    assert_same(drawn, pipe(HEART, init_image=np.asarray(image), num_inference_steps=5))
    assert_same(drawn, pipe(HEART, init_image=as_image(image), num_inference_steps=5))
    assert_same(drawn, pipe(HEART, init_image=image.convert("RGBA"), num_inference_steps=5, strength=0.8))
    assert_other(drawn, pipe(HEART, num_inference_steps=5))


def test_inpainting_keeps_what_is_black_in_the_mask(pipe, image):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[3:9, 5:14] = 255
    for one in pipe(HEART, init_image=image, mask=Image.fromarray(mask), num_images_per_prompt=2):
        changed = np.abs(np.asarray(one).astype(int) - np.asarray(image)).max(axis=2) > 0
        assert not changed[mask == 0].any()
        assert changed[mask == 255].mean() > 0.9


def test_what_inpainting_paints_depends_on_the_prompt_and_fits_what_it_keeps(pipe, image):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, :8] = True
    options = {"init_image": image, "mask": mask, "guidance_scale": 9.0}
    assert_other(pipe(HEART, **options), pipe(STAR, **options))
    flipped = np.asarray(image).copy()
    flipped[:, 8:] = flipped[::-1, 8:]
    assert np.abs(pixels(pipe(HEART, **options))[:, :, :8]
                  - pixels(pipe(HEART, **options | {"init_image": flipped}))[:, :, :8]).max() > 1


@pytest.mark.parametrize(("shape", "options", "size"), [
    ((80, 60), {}, (20, 12)), ((60, 80), {}, (12, 20)), ((4096, 4096), {}, (16, 16)), ((8, 8), {}, (16, 16)),
    ((1000, 10), {}, (160, 4)), ((80, 60), {"width": 32}, (32, 24)), ((80, 60), {"height": 8}, (12, 8)),
    ((80, 60), {"width": 32, "height": 8}, (32, 8)),
    ((80, 60), {"latents": np.zeros((1, 4, 8, 4), np.float32)}, (16, 8))])
def test_an_image_is_drawn_at_the_models_scale_in_its_own_shape(pipe, shape, options, size):
    [drawn] = pipe(HEART, init_image=Image.new("RGB", shape), num_inference_steps=1, **options)
    assert drawn.size == size


def test_of_an_image_and_its_mask_the_middle_is_drawn_where_another_shape_is_asked_for(pipe, image):
    mask = np.arange(SIDE)[:, None].repeat(SIDE, axis=1) < SIDE // 2
    [drawn] = pipe(HEART, init_image=image, mask=mask, height=8, width=SIDE)
    changed = (np.asarray(drawn) != np.asarray(image)[4:12]).any(axis=(1, 2))
    assert changed.tolist() == [True] * 4 + [False] * 4


@pytest.mark.parametrize("sampler", ["pndm", "euler", "unipc"])
def test_a_model_that_was_trained_to_inpaint_keeps_what_is_black_and_reads_the_mask_and_the_image(image, sampler):
    pipe, mask = tiny_pipeline(STABLE_DIFFUSION, channels=9), np.zeros((SIDE, SIDE), np.uint8)
    mask[:, 6:] = 255
    options = {"sampler": sampler, "guidance_scale": 9.0, "num_images_per_prompt": 2}
    drawn = pipe(HEART, init_image=image, mask=mask, **options)
    for one in drawn:
        assert_array_equal(np.asarray(one)[:, :6], np.asarray(image)[:, :6])
    flipped = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    for other in (pipe(STAR, init_image=image, mask=mask, **options),
                  pipe(HEART, init_image=flipped, mask=mask, **options)):
        assert np.abs(pixels(drawn)[:, :, 6:] - pixels(other)[:, :, 6:]).max() > 0
    alone = options | {"num_images_per_prompt": 1, "seed": 1}
    assert_same(drawn[1:], pipe(HEART, init_image=image, mask=mask, **alone))
    inside = np.asarray(image).copy()
    inside[:, 6:] = 0  # what is to be painted over is not read
    assert_same(drawn, pipe(HEART, init_image=inside, mask=mask, **options))


def test_a_model_that_was_trained_to_inpaint_says_what_it_needs(image):
    pipe = tiny_pipeline(channels=9)
    for options in ({}, {"init_image": image}):
        with pytest.raises(UserError, match="trained to inpaint, and draws with an init_image and a mask only"):
            pipe(HEART, **options)

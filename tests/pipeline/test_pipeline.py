"""Text to image, on a model of random weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from image_checks import assert_other, assert_same, pixels
from numpy.testing import assert_allclose, assert_array_equal
from tiny_pipeline import FLOW, LENGTH, SIDE, STABLE_DIFFUSION, tiny_pipeline

import minidiff
from minidiff.backend import normal
from minidiff.diffusion.scheduler import SAMPLERS
from minidiff.diffusion.scheduler_config import with_sampler
from minidiff.errors import UserError
from minidiff.nn import threads
from minidiff.nn.blas import blas
from minidiff.nn.transformer import Attention
from minidiff.ops import no_grad
from minidiff.ops.op import grad_enabled
from minidiff.pipeline import Pipeline, pipeline

HEART, STAR = "a red heart", "a green star"


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.mark.parametrize("scheduler", [FLOW, STABLE_DIFFUSION], ids=["flow", "stable diffusion"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_is_the_same_alone_and_in_a_batch_with_every_sampler(scheduler, sampler):
    pipe = tiny_pipeline(scheduler)
    together = pipe([STAR, HEART, ""], sampler=sampler, seed=4)
    assert_same(together[1:2], pipe(HEART, sampler=sampler, seed=4))
    assert_other(together[:1], together[1:2])


@pytest.mark.parametrize("sampler", ["dpm++", "euler_ancestral"])
def test_image_j_uses_seed_plus_j(pipe, sampler):
    images = pipe([HEART, STAR], num_images_per_prompt=3, seed=5, sampler=sampler)
    assert len(images) == 6
    assert_same(images[2:3], pipe(HEART, seed=7, sampler=sampler))
    assert_same(images[3:4], pipe(STAR, seed=5, sampler=sampler))
    assert_other(images[:1], images[1:2])


def test_many_images_are_drawn_in_parts_and_are_the_same(pipe, monkeypatch):
    at_once = pipe([HEART, STAR], num_images_per_prompt=3, seed=1)
    monkeypatch.setattr(pipeline, "PART", 2 * 64)
    rows = [list(moment.rows) for moment in pipe.stream([HEART, STAR], num_images_per_prompt=3) if
            moment.name == "images"]
    assert rows == [[0, 1], [2, 3], [4, 5]]
    assert_same(at_once, pipe([HEART, STAR], num_images_per_prompt=3, seed=1))


def test_threads_share_the_rows_of_a_batch_and_none_computes_gradients(pipe, monkeypatch):
    alone = pipe(HEART, num_images_per_prompt=17)
    sizes, unet = [], pipe.unet

    def spy(x, t, *read):
        sizes.append((len(x), len(t), *{len(array) for array in read}, grad_enabled(),
                      threading.current_thread().name))
        return unet(x, t, *read)

    spy.config, spy.conv_in, spy.read = unet.config, unet.conv_in, unet.read
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setattr(pipe, "unet", spy)
    assert_same(alone, pipe(HEART, num_images_per_prompt=17, num_inference_steps=3))
    assert sorted({size[:4] for size in sizes}) == [(n, n, n, False) for n in (8, 9)]
    assert threading.current_thread().name not in {name for *_, name in sizes}
    monkeypatch.setattr(threads, "WIDE", 16)
    monkeypatch.setattr(threads, "cores", lambda: 40)
    sizes.clear()
    assert_same(alone, pipe(HEART, num_images_per_prompt=17))
    assert {size[0] for size in sizes} == {34}


def test_latents_are_the_starting_noise(pipe):
    noise = normal([8, 9], (8, 8, 4))
    before = noise.copy()
    assert_same(pipe([HEART, HEART], latents=noise), pipe(HEART, num_images_per_prompt=2, seed=8))
    assert_array_equal(noise, before)


def test_with_latents_a_sampler_adds_to_row_i_the_noise_of_seed_plus_i(pipe):
    noise = normal([8, 9], (8, 8, 4))
    assert_same(pipe([HEART, HEART], latents=noise, seed=8, sampler="ddpm"),
                pipe(HEART, num_images_per_prompt=2, seed=8, sampler="ddpm"))


def test_images_need_not_be_square(pipe):
    [wide] = pipe(HEART, height=12, width=24)
    assert wide.size == (24, 12)
    assert_same([wide], pipe(HEART, latents=normal([0], (6, 12, 4))))


def test_the_empty_prompt_draws_unconditionally(pipe):
    assert_same(pipe("", guidance_scale=9.0), pipe("", guidance_scale=1.0))
    assert_other(pipe("", guidance_scale=9.0), pipe(HEART, guidance_scale=9.0))


def test_guidance_of_one_uses_the_prompt_only_and_more_moves_away_from_the_negative_prompt(pipe):
    plain = pipe(HEART, guidance_scale=1.0)
    assert_array_equal(pixels(plain), pixels(pipe(HEART, guidance_scale=1.0, negative_prompt=STAR)))
    assert_other(plain, pipe(HEART, guidance_scale=9.0))
    assert_other(pipe(HEART, guidance_scale=9.0), pipe(HEART, guidance_scale=9.0, negative_prompt=STAR))
    assert_same(plain, pipe(HEART, guidance_scale=9.0, guidance_interval=(1e6, 1e7)))
    assert_other(pipe(HEART, guidance_scale=9.0), pipe(HEART, guidance_scale=9.0, guidance_rescale=0.9))


def test_a_negative_prompt_is_one_for_all_or_one_for_each(pipe):
    images = pipe([HEART, HEART], negative_prompt=[STAR, ""], guidance_scale=9.0)
    assert_same(images[:1], pipe(HEART, negative_prompt=STAR, guidance_scale=9.0))
    assert_same(images[1:], pipe(HEART, guidance_scale=9.0))


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(pipe):
    words = ["a"] * (LENGTH - 2)
    with pytest.warns(UserWarning, match=f"has {LENGTH + 3} tokens, and this model reads {LENGTH}: "):
        long = pipe(" ".join([*words, "red", "red", "heart"]))
    assert_same(long, pipe(" ".join(words)))


def test_each_distinct_text_is_encoded_once(pipe, monkeypatch):
    rows, encode = [], pipe.text_encoder
    monkeypatch.setattr(pipe, "text_encoder", lambda ids: rows.append(len(ids)) or encode(ids))
    pipe([HEART, STAR, HEART], num_images_per_prompt=2)
    assert rows == [3]  # the two, and the empty text


def test_keys_and_values_of_a_text_are_computed_once(pipe, monkeypatch):
    rows, read, scale = [], Attention.read, {"guidance_scale": 3.0, "guidance_interval": (0.5, 9.0)}
    expected = pipe(HEART, num_inference_steps=6, **scale)

    def spy(attention, context):
        if type(attention) is Attention:
            rows.append(len(context))
        return read(attention, context)

    monkeypatch.setattr(Attention, "read", spy)
    assert_same(expected, pipe(HEART, num_inference_steps=6, **scale))
    count = len(pipe.unet.cross_attentions)
    assert sorted(rows) == [1] * count + [2] * count  # the prompt alone, and together with the empty one


def test_the_steps_have_names_and_can_be_watched(pipe):
    moments = list(pipe.stream(HEART, num_inference_steps=4))
    assert [moment.name for moment in moments] == ["text", "noise", *["sampling"] * 4, "images"]
    assert [(moment.done, moment.total) for moment in moments] == [(0, 4)] * 2 + [(i, 4) for i in (1, 2, 3, 4, 4)]
    text, noise, *_, last, final = (moment.value for moment in moments)
    assert pipe.tokenizer.decode(text[0][0]) == HEART
    assert text[1].shape == (1, LENGTH, 8)
    assert_array_equal(noise, normal([0], (8, 8, 4)))
    with no_grad():
        decoded, _ = pipe.vae.decode(last.x / pipe.vae.config.scaling_factor)
    assert_allclose(final, decoded.clip(-1, 1), rtol=0, atol=1e-6)


def test_two_threads_that_draw_at_once_draw_what_each_draws_alone(pipe):
    prompts = [HEART, STAR, "", f"{STAR} {HEART}"]
    alone, together = [pixels(pipe(prompt, num_images_per_prompt=3)) for prompt in prompts], {}
    before = blas().info()
    drawing = [threading.Thread(target=lambda i=i: together.update({i: pipe(prompts[i], num_images_per_prompt=3)}))
               for i in range(len(prompts))]
    for thread in drawing:
        thread.start()
    for thread in drawing:
        thread.join()
    for i, expected in enumerate(alone):
        assert_array_equal(pixels(together[i]), expected)
    assert blas().info() == before


def test_between_two_steps_gradients_are_as_the_caller_left_them(pipe):
    assert all(grad_enabled() for _ in pipe.stream(HEART))


def test_saving_and_loading_keeps_the_images(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "model")
    loaded = minidiff.Pipeline.from_pretrained(tmp_path / "model", device="cpu")
    assert {p.value.dtype for p in loaded.unet.parameters()} == {np.dtype("float32")}
    assert_allclose(pixels(loaded(HEART)), pixels(pipe(HEART)), rtol=0, atol=3)  # the files are float16
    pipe.save_pretrained(tmp_path / "exact", dtype="float32")
    exact = Pipeline.from_pretrained(tmp_path / "exact", "cpu", dtype="float64")
    *_, last, _ = exact.stream(HEART)
    assert last.value.x.dtype == np.float64
    assert_same(exact(HEART), pipe(HEART))


def test_a_model_has_its_own_steps_and_guidance_and_stable_diffusion_50_and_7_5():
    pipe = tiny_pipeline(num_inference_steps=2, guidance_scale=5.0)
    assert_same(pipe(HEART), pipe(HEART, num_inference_steps=2, guidance_scale=5.0))
    pipe.scheduler = STABLE_DIFFUSION
    assert next(pipe.stream(HEART)).total == 51  # PNDM asks once more
    assert_same(pipe(HEART, num_inference_steps=2), pipe(HEART, num_inference_steps=2, guidance_scale=7.5))


def test_another_sampler_keeps_the_settings_that_it_shares_with_the_models_own():
    assert not with_sampler(STABLE_DIFFUSION, "ddim").set_alpha_to_one
    assert with_sampler(STABLE_DIFFUSION, "ddim").steps_offset == 1
    karras = STABLE_DIFFUSION | {"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True}
    assert with_sampler(karras, "heun").use_karras_sigmas
    assert not with_sampler(karras, "ddim").use_karras_sigmas
    for sampler in SAMPLERS:
        assert with_sampler(FLOW | {"flow_shift": 3.0}, sampler).flow_shift == 3
        assert with_sampler(FLOW, sampler).schedule.is_flow


NOISE = np.zeros((1, 8, 8, 4), np.float32)
BLANK = np.zeros((SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize(("options", "message"), [
    ({"sampler": "eulr"}, "did you mean euler"),
    ({"sampler": "zzz"}, "use one of ddpm"),
    ({"num_inference_steps": 0}, "num_inference_steps 0"),
    ({"num_inference_steps": 2.5}, "num_inference_steps 2.5"),
    ({"num_inference_steps": 1001}, "1001 steps"),
    ({"num_images_per_prompt": 0}, "num_images_per_prompt 0"),
    ({"seed": -1}, "seed -1"),
    ({"guidance_scale": float("nan")}, "guidance nan"),
    ({"guidance_scale": float("inf")}, "guidance inf"),
    ({"guidance_rescale": 2.0}, "rescale 2.0"),
    ({"height": 18}, "multiples of 4, such as height 16 and width 16"),
    ({"width": 0}, "height and width 0"),
    ({"latents": NOISE[:, :7]}, "multiples of 4"),
    ({"latents": NOISE[..., :3]}, "latents of shape"),
    ({"latents": NOISE[0]}, "latents of shape"),
    ({"latents": NOISE, "num_images_per_prompt": 2}, "latents of shape"),
    ({"latents": NOISE, "width": 24}, "latents of shape"),
    ({"strength": 0.5}, "need an image"),
    ({"mask": BLANK[..., 0]}, "need an image"),
    ({"init_image": BLANK, "strength": 1.5}, "strength 1.5"),
    ({"init_image": BLANK, "strength": float("nan")}, "strength nan"),
    ({"latents": NOISE[:, :0]}, "height 0"),
    ({"init_image": BLANK, "width": 15}, "multiples of 4, such as height 16 and width 16"),
    ({"init_image": BLANK[..., 0]}, "an image array must"),
    ({"init_image": BLANK.astype(int)}, "an image array must"),
    ({"init_image": BLANK + 7.0}, "an image array must"),
    ({"init_image": BLANK, "mask": BLANK}, "a mask array must"),
    ({"init_image": BLANK, "mask": BLANK[:8, :, 0]}, "use the same size"),
    ({"negative_prompt": [HEART, STAR]}, "2 negative prompts for 1"),
])
def test_bad_input_is_refused_with_its_reason(pipe, options, message):
    with pytest.raises(UserError, match=message):
        pipe(HEART, **options)


def test_no_prompt_at_all_is_refused(pipe):
    with pytest.raises(UserError, match="no prompt"):
        pipe([])


def test_all_parts_show_their_configuration_by_the_published_names(pipe):
    assert (pipe.unet.config.sample_size, pipe.vae.config.latent_channels) == (8, 4)
    assert pipe.text_encoder.config.hidden_size == pipe.unet.config.cross_attention_dim
    assert len(pipe.tokenizer) == pipe.text_encoder.config.vocab_size

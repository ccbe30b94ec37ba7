"""An image of values that are not finite is never drawn: the error names the part of the model that they come from."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_pipeline import SIDE, STABLE_DIFFUSION, WORDS, tiny_pipeline

from minidiff import Pipeline
from minidiff.backend import normal
from minidiff.cli import main
from minidiff.diffusion.scheduler import SAMPLERS
from minidiff.errors import UserError

PROMPT = WORDS[0]
IMAGE = np.zeros((SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def pipe():
    return tiny_pipeline()


def refusal(pipe, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError) as error:
            pipe(PROMPT, **options)
    return str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "part"), [
    ("text_encoder.final_layer_norm.weight", "the text encoder's output"),
    ("unet.conv_out.weight", "the UNet's answer at step 1"), ("unet.conv_in.bias", "the UNet's answer at step 1"),
    ("vae.decoder.conv_out.bias", "the autoencoder's decoder"), ("vae.post_quant_conv.weight", "autoencoder's decoder"),
    ("vae.encoder.conv_in.weight", "the autoencoder's encoder")])
def test_a_weight_that_is_not_finite_is_found_in_its_part(pipe, name, part, value):
    model, _, parameter = name.partition(".")
    dict(getattr(pipe, model).named_parameters())[parameter].value.reshape(-1)[0] = value
    message = refusal(pipe, init_image=IMAGE if "encoder.conv_in" in name else None)
    assert part in message and "is not finite" in message


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_guidance_that_overflows_is_named(sampler):
    assert "with guidance 1e+308" in refusal(tiny_pipeline(STABLE_DIFFUSION), guidance_scale=1e308, sampler=sampler)


def test_the_step_is_named(pipe):
    unet, calls = pipe.unet, []

    def fails_later(x, t, *read):
        calls.append(t)
        y, back = unet(x, t, *read)
        return (y * np.float32(np.nan) if len(calls) == 2 else y), back

    fails_later.config, fails_later.conv_in, fails_later.read = unet.config, unet.conv_in, unet.read
    pipe.unet = fails_later
    assert "the UNet's answer at step 2" in refusal(pipe, num_inference_steps=4)


def test_a_scaling_factor_of_zero_is_no_setting_of_an_autoencoder(pipe):
    with pytest.raises(UserError, match=r"scaling_factor is 0\.0: use a number from 0\.001"):
        dataclasses.replace(pipe.vae.config, scaling_factor=0.0)


def test_a_decoder_that_overflows_is_found(pipe):
    pipe.vae.decoder.conv_norm_out.bias.value[:] = pipe.vae.decoder.conv_out.weight.value[:] = 1e30
    assert "the autoencoder's decoder" in refusal(pipe)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_that_are_not_finite_are_refused(pipe, value):
    latents = normal([0], (8, 8, 4))
    latents[0, 1, 2, 3] = value
    assert "latents of float32 that are not all finite" in refusal(pipe, latents=latents)


def test_half_precision_that_overflows_is_found(pipe, tmp_path):
    pipe.unet.conv_in.weight.value *= 3e4
    pipe.unet.conv_in.bias.value[:] = 6e4
    pipe.save_pretrained(tmp_path / "model", dtype="float32")
    half = Pipeline.from_pretrained(tmp_path / "model", "cpu", "float16")
    assert "the UNet's answer at step 1" in refusal(half)
    pipe.unet.conv_in.bias.value[:] = 7e4
    pipe.save_pretrained(tmp_path / "model", dtype="float32")
    with pytest.raises(UserError, match=r"conv_in\.bias has values too large for float16: use float32"):
        Pipeline.from_pretrained(tmp_path / "model", "cpu", "float16")


def test_the_command_writes_nothing(pipe, tmp_path, capsys):
    pipe.save_pretrained(tmp_path / "model")
    file = tmp_path / "model" / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.bias"][:] = np.nan
    save_file(tensors, file)
    (tmp_path / "good.png").write_bytes(b"whole")
    assert main(["generate", PROMPT, "--model", str(tmp_path / "model"), "-o", str(tmp_path / "good.png")]) == 2
    assert capsys.readouterr().err.startswith("minidiff: error: the autoencoder's decoder is not finite")
    assert (tmp_path / "good.png").read_bytes() == b"whole"

"""The golden arrays of tests/golden and what we make of the same weights and inputs. golden/make.py wrote the former.

`compare(part, version)` raises AssertionError where one of our arrays is not theirs.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from relative import relative
from safetensors.numpy import load_file
from sampler_cases import follow

from minidiff.diffusion.scheduler_config import from_config
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.storage.folders import load_model
from minidiff.tokenizer import Tokenizer

GOLDEN = Path(__file__).with_name("golden")
PROMPTS = ["a red heart above a blue square", "wow!! it's a heart", ""]
TOLERANCE = 1e-9
SAMPLER_STEPS = 5


def compare(part, version):
    """What comes first is compared first: a wrong y ends it before a backward pass begins."""
    given = load_file(GOLDEN / version / "arrays.safetensors")
    for name, ours in PARTS[part](GOLDEN / version, given):
        difference = relative(ours, given[name])
        assert difference <= TOLERANCE, f"{version} {name}: {difference:.1e}"


def tokenizer(folder, given):
    yield "ids", Tokenizer.from_pretrained(folder / "tokenizer")(PROMPTS)


def unet(folder, given):
    model = load_model(UNet2DConditionModel, UNetConfig, folder / "unet", "float64")
    y, backward = model(given["unet.x"], given["unet.t"], given["unet.context"])
    yield "unet.y", y
    dx, _, dcontext = backward(given["unet.dy"])
    yield "unet.dx", dx
    yield "unet.dcontext", dcontext
    yield "unet.gradients", gradients_of(model)


def encode(folder, given):
    model = load_model(AutoencoderKL, AutoencoderConfig, folder / "vae", "float64")
    (mean, logvar), backward = model.encode(given["encode.x"])
    yield "encode.mean", mean
    yield "encode.logvar", logvar
    yield "encode.dx", backward(given["encode.dmean"], given["encode.dlogvar"])
    yield "encode.gradients", gradients_of(model)


def decode(folder, given):
    model = load_model(AutoencoderKL, AutoencoderConfig, folder / "vae", "float64")
    y, backward = model.decode(given["decode.z"])
    yield "decode.y", y
    yield "decode.dz", backward(given["decode.dy"])
    yield "decode.gradients", gradients_of(model)


def text_encoder(folder, given):
    model = load_model(CLIPTextModel, TextConfig, folder / "text_encoder", "float64")
    y, backward = model(given["ids"])
    yield "text_encoder.y", y
    backward(given["text_encoder.dy"])
    yield "text_encoder.gradients", gradients_of(model)


def clip(folder, given):
    model = load_model(CLIPModel, CLIPConfig, folder / "clip", "float64")
    loss, backward = model(given["ids"], given["clip.images"])
    yield "clip.loss", loss
    backward(1.0)
    yield "clip.gradients", gradients_of(model)


PARTS = {"tokenizer": tokenizer, "unet": unet, "text_encoder": text_encoder, "encode": encode, "decode": decode,
         "clip": clip}
CASES = [*product(("tokenizer", "unet", "text_encoder"), ("sd1", "sd2")),
         *product(("encode", "decode", "clip"), ("sd1",))]  # what has no versions


def gradients_of(model):
    return gradient_norms((name, p.grad) for name, p in model.named_parameters() if p.grad is not None)


def gradient_norms(gradients):
    """The norm of each parameter's gradient, in the order of names."""
    return np.array([np.linalg.norm(gradient) for _, gradient in sorted(gradients)])


def sampler_inputs():
    """Where samplers start, and the noise of each step."""
    rng = np.random.Generator(np.random.Philox(0))
    return rng.standard_normal((1, 1, 1, 3)), rng.standard_normal((SAMPLER_STEPS, 1, 1, 1, 3))


def sampler_end(config):
    """Where our run ends, and the tolerance: rectified flow's sigmas are rounded to float32."""
    start, noise = sampler_inputs()
    *_, x = follow(from_config(config), SAMPLER_STEPS, start, noise.__getitem__)[0]
    return x, 2e-5 if "use_flow_sigmas" in config else TOLERANCE

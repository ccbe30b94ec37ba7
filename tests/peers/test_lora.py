"""LoRA files: a model with ours merged and diffusers' model with its fused are the same."""

from __future__ import annotations

import json

import diffusers
import numpy as np
import pytest
import torch
from ldm_layout import tiny_stable_diffusion
from lora_files import UNET_LAYERS, learned, of_diffusers, of_kohya, of_older_diffusers
from safetensors.numpy import save_file

from minidiff.storage.folders import from_file

from .compare import VALUES, channels_first, channels_last

peft = pytest.importorskip("peft", reason="needs peft: pip install minidiff[peers]")

KINDS = {"diffusers": of_diffusers, "older diffusers": of_older_diffusers, "kohya": of_kohya,
         "kohya with alpha": lambda products: of_kohya(products, 1.5)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_stable_diffusion(1).save_pretrained(path, dtype="float32")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_file_is_a_fused_one(folder, tmp_path, agree, kind):
    ours = tiny_stable_diffusion(1)
    save_file(KINDS[kind](learned(ours)), tmp_path / "lora.safetensors")
    theirs = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    theirs.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    theirs.fuse_lora(lora_scale=0.7)
    ids, rng = ours.tokenizer(["a red heart", "a green star"]), np.random.default_rng(0)
    latents = rng.standard_normal((2, 8, 12, 4)).astype(np.float32)

    def both():
        context, _ = ours.text_encoder(ids)
        return context, ours.unet(latents, np.full(2, 321.0, np.float32), context)[0]

    plain = both()
    ours.load_lora(tmp_path / "lora.safetensors", 0.7)
    merged = both()
    with torch.no_grad():
        context = theirs.text_encoder(torch.tensor(ids))[0]
        noise = theirs.unet(torch.tensor(channels_first(latents)), 321, context).sample
    for what, before, after, expected in zip(("text encoder", "UNet"), plain, merged,
                                             (context.numpy(), channels_last(noise)), strict=True):
        assert np.linalg.norm(after - before) > 0.05 * np.linalg.norm(before)
        agree(f"{what} with a LoRA", after, expected, VALUES["float32"])


@pytest.mark.parametrize("root", [False, True])
def test_alphas_noted_beside_the_tensors_are_read_alike(folder, tmp_path, agree, root):
    ours = tiny_stable_diffusion(1)
    products = {key: pair for key, pair in learned(ours).items() if key[0] == "unet"}
    notes = peft.LoraConfig(r=3, lora_alpha=5, alpha_pattern={"attn1.to_q": 2, "conv2": 7}, use_rslora=root,
                            target_modules=UNET_LAYERS).to_dict()
    notes = {f"unet.{key}": sorted(value) if isinstance(value, set) else value for key, value in notes.items()}
    save_file(of_diffusers(products), tmp_path / "lora.safetensors", {"lora_adapter_metadata": json.dumps(notes)})
    theirs = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    theirs.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    theirs.fuse_lora()
    theirs.unload_lora_weights()
    ours.load_lora(tmp_path / "lora.safetensors")
    weights = theirs.unet.state_dict()
    for name, parameter in ours.unet.named_parameters():
        agree("weights with noted alphas", parameter.value, from_file(weights[name].numpy()), 1e-6)

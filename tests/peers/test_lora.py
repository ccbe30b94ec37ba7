"""LoRA files: a model with ours merged and diffusers' model with its fused are the same."""

from __future__ import annotations

import json

import diffusers
import numpy as np
import pytest
import torch
from ldm_layout import tiny_stable_diffusion
from lora_files import TEXT_LAYERS, UNET_LAYERS, learned, of_diffusers, of_kohya, of_older_diffusers, with_factors
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from minidiff.nn.lora import Factors
from minidiff.storage.folders import from_file
from minidiff.storage.lora_writing import save_lora

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


def test_magnitudes_are_read_alike(folder, tmp_path, agree):
    ours, theirs = (tiny_stable_diffusion(1),
                    diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True))
    theirs.unet.add_adapter(peft.LoraConfig(r=3, lora_alpha=5, use_dora=True, target_modules=UNET_LAYERS))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in theirs.unet.named_parameters():
            if "lora_" in name:
                parameter.copy_(parameter + 0.1 * torch.rand_like(parameter))
    theirs.save_lora_weights(tmp_path, peft.utils.get_peft_model_state_dict(theirs.unet), weight_name="t.safetensors",
                             unet_lora_adapter_metadata=theirs.unet.peft_config["default"].to_dict())
    assert any(name.endswith(".lora_magnitude_vector") for name in load_file(tmp_path / "t.safetensors"))
    theirs.unload_lora_weights()
    theirs.load_lora_weights(tmp_path, weight_name="t.safetensors")
    theirs.fuse_lora(lora_scale=0.7)
    theirs.unload_lora_weights()
    before = {name: p.value for name, p in ours.unet.named_parameters()}
    ours.load_lora(tmp_path / "t.safetensors", 0.7)
    weights = theirs.unet.state_dict()
    for name, parameter in ours.unet.named_parameters():
        agree("weights with magnitudes", parameter.value, from_file(weights[name].numpy()), 1e-6)
    changed = [name for name, p in ours.unet.named_parameters() if p.value is not before[name]]
    assert len(changed) == len(UNET_LAYERS)


@pytest.mark.parametrize("target", ["unet", "text_encoder"])
def test_what_peft_itself_writes_is_what_it_merges(folder, tmp_path, agree, target):
    ours, layers = tiny_stable_diffusion(1), UNET_LAYERS if target == "unet" else TEXT_LAYERS
    model = getattr(diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True), target)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=5, target_modules=layers,
                                                         init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    ours.load_lora(tmp_path / "adapter" / "adapter_model.safetensors")
    weights = adapted.merge_and_unload().state_dict()
    for name, parameter in getattr(ours, target).named_parameters():
        if parameter.value.ndim > 1:
            value = weights[name if name in weights else f"text_model.{name}"]
            agree("weights with an adapter of PEFT's", parameter.value, from_file(value.numpy()), 1e-6)


@pytest.mark.parametrize("alpha", [4, 1.5])
def test_diffusers_draws_with_our_file_what_the_trained_factors_draw(folder, tmp_path, agree, alpha):
    ours = with_factors(tiny_stable_diffusion(1), 4, alpha)
    save_lora(ours.unet, tmp_path / "lora.safetensors")
    theirs = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    theirs.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    latents = np.random.default_rng(0).standard_normal((2, 8, 12, 4)).astype(np.float32)
    context, _ = ours.text_encoder(ours.tokenizer(["a red heart", "a green star"]))
    answer, _ = ours.unet(latents, np.full(2, 321.0, np.float32), context)
    for fused in (False, True):
        if fused:
            theirs.fuse_lora()
            theirs.unload_lora_weights()
        with torch.no_grad():
            expected = theirs.unet(torch.tensor(channels_first(latents)), 321, torch.tensor(context)).sample
        agree("UNet with trained factors", answer, channels_last(expected), VALUES["float32"])


def test_diffusers_writes_the_same_file_for_the_same_factors(folder, tmp_path):
    ours = with_factors(tiny_stable_diffusion(1), 4, 1.5)
    save_lora(ours.unet, tmp_path / "ours.safetensors")
    theirs = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    theirs.unet.add_adapter(peft.LoraConfig(r=4, lora_alpha=1.5, target_modules=["to_k", "to_q", "to_v", "to_out.0"]))
    factors = {name: p for name, p in theirs.unet.named_parameters() if "lora_" in name}
    own = {name.replace(".weight", ".default.weight"): p for name, p in Factors(ours.unet).named_parameters()}
    assert factors.keys() == own.keys()
    with torch.no_grad():
        for name, parameter in factors.items():
            parameter.copy_(torch.tensor(own[name].value))
    theirs.save_lora_weights(tmp_path, peft.utils.get_peft_model_state_dict(theirs.unet), weight_name="t.safetensors",
                             unet_lora_adapter_metadata=theirs.unet.peft_config["default"].to_dict())
    written, expected = (load_file(tmp_path / name) for name in ("ours.safetensors", "t.safetensors"))
    assert written.keys() == expected.keys()
    for name, value in expected.items():
        assert value.dtype == written[name].dtype and (value == written[name]).all(), name
    notes, expected = (json.loads(safe_open(tmp_path / name, "numpy").metadata()["lora_adapter_metadata"])
                       for name in ("ours.safetensors", "t.safetensors"))
    notes, expected = ({key: sorted(value) if isinstance(value, list) else value for key, value in of.items()}
                       for of in (notes, expected))
    assert notes == {key: expected[key] for key in notes}
    merged = tiny_stable_diffusion(1)
    merged.load_lora(tmp_path / "t.safetensors")
    again = tiny_stable_diffusion(1)
    again.load_lora(tmp_path / "ours.safetensors")
    for one, other in zip(merged.unet.parameters(), again.unet.parameters(), strict=True):
        assert (one.value == other.value).all()

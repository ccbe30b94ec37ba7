"""LoRA files of every layout are added to the weights, and what does not fit changes nothing."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest
from ldm_layout import tiny_stable_diffusion
from lora_files import TEXT_LAYERS, UNET_LAYERS, learned, of_diffusers, of_kohya, of_older_diffusers, of_peft
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.numpy import save_file
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff import Pipeline
from minidiff.cli import main
from minidiff.cli.drawing import file_and_scale
from minidiff.errors import UserError
from minidiff.storage.lora_alpha import matches

ALPHA, RANK = 1.5, 3


@pytest.fixture
def pipe():
    return tiny_stable_diffusion(1)


@pytest.fixture
def products(pipe):
    return learned(pipe, rank=RANK)


def values(pipe):
    return {(part, name): parameter.value for part in ("unet", "text_encoder")
            for name, parameter in getattr(pipe, part).named_parameters()}


def by_hand(weight, down, up):
    """up · down, in the layout of a weight; of convolutions: first the one, then the 1 x 1."""
    if weight.ndim == 2:
        return up @ down
    return np.einsum("or,rihw->hwio", up[:, :, 0, 0], down)


@pytest.mark.parametrize(("write", "ratio"), [
    (of_diffusers, 1.0), (of_older_diffusers, 1.0), (of_kohya, 1.0),
    (lambda products: of_kohya(products, ALPHA), ALPHA / RANK)], ids=["diffusers", "older", "kohya", "alpha"])
def test_every_layout_adds_scale_alpha_over_rank_up_down(pipe, products, tmp_path, write, ratio):
    save_file(write(products), tmp_path / "lora.safetensors")
    before = values(pipe)
    for value in before.values():
        value.flags.writeable = False
    pipe.load_lora(tmp_path / "lora.safetensors", scale=0.7)
    for (part, name), value in values(pipe).items():
        pair = products.get((part, name.removesuffix(".weight")))
        if pair is None or name.endswith(".bias"):
            assert value is before[part, name]
        else:
            expected = before[part, name] + 0.7 * ratio * by_hand(value, *pair)
            assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
            assert np.abs(value - before[part, name]).max() > 0.01
            assert value.flags.c_contiguous and value.dtype == np.float32


def test_the_oldest_files_hold_a_unet_and_do_not_say_so(pipe, products, tmp_path):
    attention = {key: pair for key, pair in products.items() if "attn" in key[1] and key[0] == "unet"}
    tensors = of_older_diffusers(attention)
    save_file({name.removeprefix("unet."): value for name, value in tensors.items()}, tmp_path / "lora.safetensors")
    other = tiny_stable_diffusion(1)
    save_file(of_diffusers(attention), tmp_path / "new.safetensors")
    pipe.load_lora(tmp_path / "lora.safetensors")
    other.load_lora(tmp_path / "new.safetensors")
    assert len(attention) == 3
    for (key, value), expected in zip(values(pipe).items(), values(other).values(), strict=True):
        assert_array_equal(value, expected, err_msg=str(key))


@pytest.mark.parametrize(("notes", "ratio"), [
    ({}, 1.0), ({"unet.r": RANK, "unet.lora_alpha": 6}, 6 / RANK),
    ({"unet.lora_alpha": 6, "unet.use_rslora": True}, 6 / RANK**0.5),
    ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"attn1.to_q": 2}}, 2 / RANK),
    ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"n1.to_q": 2}}, 6 / RANK)])
def test_alpha_may_be_stored_in_the_metadata(pipe, tmp_path, notes, ratio):
    products = learned(pipe, UNET_LAYERS[:1], RANK)
    save_file(of_diffusers(products), tmp_path / "lora.safetensors", {"lora_adapter_metadata": json.dumps(notes)})
    name = ("unet", UNET_LAYERS[0] + ".weight")
    before = values(pipe)[name]
    pipe.load_lora(tmp_path / "lora.safetensors")
    down, up = products["unet", UNET_LAYERS[0]]
    assert_allclose(values(pipe)[name] - before, ratio * (up @ down), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("pattern", "found"), [
    ("q_proj", True), ("self_attn.q_proj", True), ("attn.q_proj", False), ("^self_attn.q_proj", False),
    (f"^{TEXT_LAYERS[0]}", True), (f"text_model.{TEXT_LAYERS[0]}", True), (f"^text_model.{TEXT_LAYERS[0]}", True)])
def test_a_pattern_is_a_name_or_without_an_accent_its_end(pattern, found):
    assert matches(pattern, TEXT_LAYERS[0]) == found


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_what_peft_writes_takes_its_alpha_from_the_file_beside_it(pipe, products, tmp_path, part):
    own = {key: pair for key, pair in products.items() if key[0] == part}
    save_file(of_peft(own), tmp_path / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"is of PEFT, without its adapter_config\.json: put that beside it"):
        pipe.load_lora(tmp_path / "adapter_model.safetensors")
    other = tiny_stable_diffusion(1)
    save_file(of_kohya(own, 6), tmp_path / "expected.safetensors")
    other.load_lora(tmp_path / "expected.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 6, "alpha_pattern": {}}))
    pipe.load_lora(tmp_path / "adapter_model.safetensors")
    for (key, value), expected in zip(values(pipe).items(), values(other).values(), strict=True):
        assert_array_equal(value, expected, err_msg=str(key))


@pytest.mark.parametrize("rename", [
    lambda name: name.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default_0."),
    lambda name: name.replace("unet.", "unet.base_model.model."),
    lambda name: name.replace("text_encoder.", "text_encoder.text_model.")])
def test_adapters_names_and_prefixes_change_nothing(pipe, products, tmp_path, rename):
    other, tensors = tiny_stable_diffusion(1), of_diffusers(products)
    save_file(tensors, tmp_path / "expected.safetensors")
    save_file({rename(name): value for name, value in tensors.items()}, tmp_path / "lora.safetensors")
    pipe.load_lora(tmp_path / "lora.safetensors")
    other.load_lora(tmp_path / "expected.safetensors")
    for (key, value), expected in zip(values(pipe).items(), values(other).values(), strict=True):
        assert_array_equal(value, expected, err_msg=str(key))


def test_a_magnitude_is_the_length_of_what_leads_to_an_output(pipe, products, tmp_path):
    rng, own = np.random.default_rng(1), {key: pair for key, pair in products.items() if key[0] == "unet"}
    lengths = {layer: rng.uniform(0.5, 2, len(pair[1])).astype(np.float32) for (_, layer), pair in own.items()}
    save_file(of_diffusers(own) | {f"unet.{layer}.lora_magnitude_vector": value for layer, value in lengths.items()},
              tmp_path / "lora.safetensors")
    before = values(pipe)
    pipe.load_lora(tmp_path / "lora.safetensors", 0.7)
    for layer, length in lengths.items():
        value, old = values(pipe)["unet", f"{layer}.weight"], before["unet", f"{layer}.weight"]
        expected = old + 0.7 * by_hand(old, *own["unet", layer])
        axes = (0, 1, 2) if old.ndim == 4 else 1
        assert_allclose(np.sqrt((value**2).sum(axis=axes)), length, rtol=1e-5)
        expected /= np.sqrt((expected**2).sum(axis=axes, keepdims=True))
        assert_allclose(value / np.sqrt((value**2).sum(axis=axes, keepdims=True)), expected, rtol=1e-4, atol=1e-6)


def test_an_output_to_which_nothing_leads_has_no_length(pipe, tmp_path):
    [((part, layer), (down, up))] = learned(pipe, UNET_LAYERS[:1]).items()
    values(pipe)[part, f"{layer}.weight"][0] = up[0] = 0
    magnitude = {f"{part}.{layer}.lora_magnitude_vector": np.ones(len(up), np.float32)}
    save_file(of_diffusers({(part, layer): (down, up)}) | magnitude, tmp_path / "lora.safetensors")
    pipe.load_lora(tmp_path / "lora.safetensors")
    value = values(pipe)[part, f"{layer}.weight"]
    assert_allclose(np.linalg.norm(value, axis=1), [0, *np.ones(len(up) - 1)], rtol=1e-5)


def test_two_files_add_up_and_a_negative_scale_subtracts(pipe, products, tmp_path):
    save_file(of_kohya(products), tmp_path / "lora.safetensors")
    before = values(pipe)
    for scale in (0.5, 1.0, -1.5):
        pipe.load_lora(tmp_path / "lora.safetensors", scale)
    for key, value in values(pipe).items():
        assert_allclose(value, before[key], rtol=1e-5, atol=1e-6)


FIRST = f"unet.{UNET_LAYERS[0]}.lora_A.weight"


@pytest.mark.parametrize(("change", "words"), [
    (lambda tensors: tensors.update({"lora_unet_input_blocks_1_1.hada_w1_a": np.ones(2)}), "hada_w1_a"),
    (lambda tensors: tensors.update({"unet.conv_in.lora_B.bias": np.ones(2)}), "unet.conv_in.lora_B.bias"),
    (lambda tensors: tensors.update({FIRST: np.ones((RANK, 9), np.float32)}), r"down \(3, 9\)"),
    (lambda tensors: tensors.update({FIRST: np.ones((RANK + 1, 32), np.float32)}), r"down \(4, 32\)"),
    (lambda tensors: tensors.pop(FIRST), "attn1.to_q has up"),
    (lambda tensors: tensors.update({f"unet.{UNET_LAYERS[0]}.alpha": np.ones(2, np.float32)}), r"alpha \(2,\)"),
], ids=["unknown", "bias", "shape", "rank", "one half", "alpha"])
def test_what_does_not_fit_is_refused_and_changes_nothing(pipe, products, tmp_path, change, words):
    tensors = of_diffusers(products)
    change(tensors)
    save_file(tensors, tmp_path / "lora.safetensors")
    before = values(pipe)
    with pytest.raises(UserError, match=words) as error:
        pipe.load_lora(tmp_path / "lora.safetensors")
    assert "\n" not in str(error.value) and "does not fit this model" in str(error.value)
    assert all(value is before[key] for key, value in values(pipe).items())


@pytest.mark.parametrize("names", [
    ["lora.safetensors", "latents.safetensors"], ["pytorch_lora_weights.safetensors"], ["adapter_model.safetensors"],
    ["style.safetensors"]])
def test_the_one_lora_of_a_folder_is_opened(pipe, products, tmp_path, names):
    other = tiny_stable_diffusion(1)
    for name in names:
        save_file(of_diffusers(products) if name == names[0] else {}, tmp_path / name)
    pipe.load_lora(tmp_path)
    other.load_lora(tmp_path / names[0])
    for (key, value), expected in zip(values(pipe).items(), values(other).values(), strict=True):
        assert_array_equal(value, expected, err_msg=str(key))


@pytest.mark.parametrize(("names", "words"), [
    ([], "is a folder with no LoRA in it: give the file of a LoRA"),
    (["b.safetensors", "a.safetensors"], "is a folder with a.safetensors, b.safetensors in it"),
    (["lora.safetensors"], "lora.safetensors does not fit this model .it has no tensors.")])
def test_a_folder_with_no_lora_or_several_and_an_empty_file_are_refused(pipe, tmp_path, names, words):
    for name in names:
        save_file({}, tmp_path / name)
    with pytest.raises(UserError, match=words):
        pipe.load_lora(tmp_path)


def test_bad_scales_metadata_and_files_are_refused(pipe, products, tmp_path):
    path = tmp_path / "lora.safetensors"
    save_file(of_diffusers(products), path, {"lora_adapter_metadata": "[]"})
    (tmp_path / "lora.pt").touch()
    for arguments, words in (((path, float("nan")), "scale nan"), ((path,), "lora_adapter_metadata"),
                             ((tmp_path / "lora.pt",), "pickle"), ((tmp_path / "none.safetensors",), "missing")):
        with pytest.raises(UserError, match=words):
            pipe.load_lora(*arguments)


def test_the_layers_of_these_tests_are_of_every_kind(pipe, products):
    assert {part for part, _ in products} == {"unet", "text_encoder"}
    assert len(products) == len(UNET_LAYERS) + len(TEXT_LAYERS)
    assert {down.shape[2:] for down, _ in products.values()} == {(), (1, 1), (3, 3)}


def test_generate_takes_several_files_with_scales(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipe = tiny_pipeline()
    pipe.save_pretrained("model", dtype="float32")
    layer = "up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
    pair = (np.full((1, 8), 3, np.float32), np.full((16, 1), 3, np.float32))
    save_file(of_kohya({("unet", layer): pair}), "a.safetensors")
    ones = (np.ones((1, 4, 3, 3), np.float32), np.ones((8, 1, 1, 1), np.float32))
    save_file(of_diffusers({("unet", "conv_in"): ones}), "b.safetensors")
    run = ["generate", WORDS[0], "--model", "model", "--device", "cpu", "-o"]
    assert main([*run, "none.png", "--lora", "a.safetensors:0"]) == 0
    assert main([*run, "both.png", "--lora", "a.safetensors:0.5", "--lora", "b.safetensors"]) == 0
    merged = Pipeline.from_pretrained("model", "cpu")
    merged.load_lora("a.safetensors", 0.5)
    merged.load_lora("b.safetensors")
    for name, own in (("none.png", pipe), ("both.png", merged)):
        with Image.open(name) as image:
            assert_allclose(np.asarray(image, int), np.asarray(own(WORDS[0])[0], int), rtol=0, atol=1)
    assert Path("none.png").read_bytes() != Path("both.png").read_bytes()
    assert main([*run, "c.png", "--lora", "c.safetensors:2"]) == 2


@pytest.mark.parametrize(("text", "file", "scale"), [
    ("style.safetensors", "style.safetensors", 1.0), ("style.safetensors:0.5", "style.safetensors", 0.5),
    ("a:b/style.safetensors:-1", "a:b/style.safetensors", -1.0), ("C:style.safetensors", "C:style.safetensors", 1.0)])
def test_the_scale_follows_the_last_colon(text, file, scale):
    assert file_and_scale(text) == (Path(file), scale)


def test_a_scale_that_is_no_number_is_named(tmp_path):
    (tmp_path / "style.safetensors").touch()
    with pytest.raises(ArgumentTypeError, match=r"'x' is not a number to scale .*/style\.safetensors by"):
        file_and_scale(f"{tmp_path / 'style.safetensors'}:x")

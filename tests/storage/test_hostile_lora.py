"""LoRA files that no trainer would write: each is refused at once, in one line, and changes nothing."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from ldm_layout import tiny_stable_diffusion
from lora_files import UNET_LAYERS, learned, of_diffusers, of_kohya, of_peft
from safetensors.numpy import save_file

from minidiff.errors import UserError

LAYER = UNET_LAYERS[0]
DOWN = f"unet.{LAYER}.lora_A.weight"


@pytest.fixture(scope="module")
def pipe():
    return tiny_stable_diffusion(1)


@pytest.fixture
def products(pipe):
    return learned(pipe, [LAYER])


def refused(pipe, path, words):
    before = [p.value for model in (pipe.unet, pipe.text_encoder) for p in model.parameters()]
    start = time.monotonic()
    with pytest.raises(UserError, match=words) as error:
        pipe.load_lora(path)
    assert time.monotonic() - start < 5
    assert "\n" not in str(error.value) and len(str(error.value).replace(str(path), "")) < 500
    after = [p.value for model in (pipe.unet, pipe.text_encoder) for p in model.parameters()]
    assert all(one is other for one, other in zip(before, after, strict=True))


def noted(**fields):
    return json.dumps({f"unet.{name}": value for name, value in fields.items()})


@pytest.mark.parametrize(("notes", "words"), [
    (noted(alpha_pattern={"(a+)+$": 2}), "not the name of a layer"),
    (noted(alpha_pattern={r"([\w.]*)*[\w.]*([\w.]*)*x": 2}), "not the name of a layer"),
    (noted(alpha_pattern={"": 2}), "not the name of a layer"),
    (noted(alpha_pattern={"x" * 10_000 + "\n(": 2}), "not the name of a layer"),
    (noted(alpha_pattern=[1]), r"alpha_pattern is \[1\]"),
    (noted(alpha_pattern={"to_q": {}}), "alpha is {}"),
    (noted(lora_alpha=10**400), "alpha is 1000"), (noted(lora_alpha="nan"), "alpha is 'nan'"),
    (noted(lora_alpha="8"), "alpha is '8'"), (noted(use_rslora="false"), "use_rslora is 'false', not true or false"),
    (noted(lora_alpha=None), "alpha is None"), (noted(lora_alpha=-1), "alpha is -1"),
    ('{"unet.lora_alpha": NaN}', "alpha is nan"), ('{"unet.lora_alpha": 1e999}', "alpha is inf"),
    (f'{{"unet.lora_alpha": {"9" * 5000}}}', "lora_adapter_metadata cannot be read"),
    ("[" * 100_000 + "]" * 100_000, "lora_adapter_metadata cannot be read"), ("{", "cannot be read"),
    ("[]", "lora_adapter_metadata is not a JSON object"), ("5", "is not a JSON object")])
def test_notes_that_hang_crash_or_are_no_numbers(pipe, products, tmp_path, notes, words):
    save_file(of_diffusers(products), tmp_path / "lora.safetensors", {"lora_adapter_metadata": notes})
    refused(pipe, tmp_path / "lora.safetensors", words)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{", '{"lora_alpha": -1}'])
def test_the_file_beside_one_of_peft(pipe, products, tmp_path, content):
    save_file(of_peft(products), tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(content)
    refused(pipe, tmp_path / "adapter_model.safetensors", "adapter_config.json|alpha is -1")


@pytest.mark.parametrize("alpha", [np.nan, np.inf, -1.0])
def test_alphas_that_are_no_factors(pipe, products, tmp_path, alpha):
    save_file(of_kohya(products, alpha), tmp_path / "lora.safetensors")
    refused(pipe, tmp_path / "lora.safetensors", "NaN or infinite values in .*alpha" if alpha != -1 else "alpha is -1")


@pytest.mark.parametrize(("change", "words"), [
    (lambda own: own[DOWN].__setitem__((1, 2), np.nan), f"NaN or infinite values in {DOWN}"),
    (lambda own: own[DOWN].__setitem__((0, 0), -np.inf), f"NaN or infinite values in {DOWN}"),
    (lambda own: own[DOWN].__setitem__((0, 0), 3e38), f"the values of unet.{LAYER} are too large"),
    (lambda own: own.update({DOWN: np.ones((0, 32), np.float32), DOWN.replace("_A", "_B"): np.ones((32, 0))}), "down"),
    (lambda own: own.update({DOWN: np.array(1, np.float32)}), r"down \(\)"),
    (lambda own: own.update({DOWN: np.ones((3, 32, 1, 1), np.float32)}), r"down \(3, 32, 1, 1\)"),
    (lambda own: own.update({f"unet.{LAYER}": np.ones(2)}), f"unet.{LAYER} belongs to no layer"),
    (lambda own: own.update({f"unet.{LAYER}.lora_A.other.weight": own[DOWN]}), "not the only down of its layer"),
    (lambda own: own.update({f"lora_unet_{LAYER.replace('.', '_')}.lora_down.weight": own[DOWN]}), "not the only down"),
    (lambda own: own.update({f"unet.{LAYER}.lora_magnitude_vector": np.ones(5)}), r"magnitude \(5,\)"),
    (lambda own: own.update({f"lora_unet_{LAYER.replace('.', '_')}.dora_scale": np.ones(32)}), "dora_scale"),
    (lambda own: own.update({"x\n" * 5000: np.ones(2)}), "belongs to no layer|x x x")])
def test_tensors_that_are_no_updates(pipe, products, tmp_path, change, words):
    tensors = of_diffusers(products)
    change(tensors)
    save_file(tensors, tmp_path / "lora.safetensors")
    refused(pipe, tmp_path / "lora.safetensors", words)

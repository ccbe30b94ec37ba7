"""A whole model is a diffusers folder, found by its path or by the name of a shipped one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from safetensors.numpy import load_file

from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.clip import CLIPModel
from minidiff.models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig, VisionConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.storage import pipeline_folder
from minidiff.storage.pipeline_folder import Parts, find_model, load_clip, load_pipeline, save_pipeline
from minidiff.tokenizer import Tokenizer
from minidiff.writing import write_json

TEXT = TextConfig(vocab_size=514, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
                  max_position_embeddings=9, bos_token_id=512, eos_token_id=513, pad_token_id=513)
VISION = VisionConfig(hidden_size=6, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8,
                      patch_size=4)
UNET = UNetConfig(block_out_channels=(4, 8), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                  up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=1, cross_attention_dim=8,
                  attention_head_dim=2, norm_num_groups=2, sample_size=4)
VAE = AutoencoderConfig(block_out_channels=(4, 6), layers_per_block=1, norm_num_groups=2, sample_size=8)


def parts():
    rng = np.random.default_rng(0)
    return Parts(UNet2DConditionModel(rng, UNET), AutoencoderKL(rng, VAE), CLIPTextModel(rng, TEXT),
                 Tokenizer([], max_length=9), {"_class_name": "DDIMScheduler", "steps_offset": 1})


def contrastive():
    return CLIPModel(np.random.default_rng(1), CLIPConfig(TEXT, VISION, projection_dim=4))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_pipeline(parts(), folder, contrastive())
    return folder


def test_a_pipeline_comes_back(model):
    loaded, expected = load_pipeline(model), parts()
    for name in ("unet", "vae", "text_encoder"):
        pairs = zip(getattr(loaded, name).named_parameters(), getattr(expected, name).named_parameters(), strict=True)
        for (path, parameter), (expected_path, expected_parameter) in pairs:
            assert path == expected_path
            assert_allclose(parameter.value, expected_parameter.value, rtol=2**-11, atol=2**-25)
    assert loaded.scheduler == expected.scheduler
    assert loaded.tokenizer(["a"]).tolist() == expected.tokenizer(["a"]).tolist()
    for (_, parameter), (_, expected) in zip(load_clip(model).named_parameters(), contrastive().named_parameters(),
                                             strict=True):
        assert_allclose(parameter.value, expected.value, rtol=2**-11, atol=2**-25)


def test_all_is_stored_in_float16_and_what_transformers_opens_to_be_computed_in_float32(model):
    files = model.rglob("*.safetensors")
    dtypes = {path.parent.name: {t.dtype.name for t in load_file(path).values()} for path in files}
    assert dtypes == {name: {"float16"} for name in ("unet", "vae", "clip", "text_encoder")}
    named = {name: json.loads((model / name / "config.json").read_text()).get("dtype") for name in dtypes}
    assert named == {"unet": None, "vae": None, "clip": "float32", "text_encoder": "float32"}


def test_the_index_names_the_class_of_every_folder(model):
    index = json.loads((model / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline" and index["requires_safety_checker"] is False
    folders = {name for name, entry in index.items() if isinstance(entry, list) and entry[0]}
    assert folders | {"clip", "model_index.json"} == set(os.listdir(model))
    assert index["scheduler"] == ["diffusers", "DDIMScheduler"]


def test_shipped_models_are_found_by_name_in_the_package_or_beside_it(model, tmp_path, monkeypatch):
    package = tmp_path / "site" / "minidiff"
    package.mkdir(parents=True)
    monkeypatch.setattr(pipeline_folder, "PACKAGE", package)
    monkeypatch.chdir(model.parent)
    assert find_model("tiny") == Path("tiny")
    beside, inside = tmp_path / "site" / "weights", package / "weights"
    for weights in (beside, inside):
        weights.symlink_to(model.parent)
        assert find_model("tiny") == weights / "tiny"
        assert find_model("./tiny") == Path("tiny")
    with pytest.raises(UserError, match=r"unknown model 'tinny'.*: tiny$"):
        find_model("tinny")


def test_in_the_place_of_a_model_the_folder_of_its_run_is_told_where_it_is(model):
    with pytest.raises(UserError, match=f"the folder that contains model_index.json, as {model} does$"):
        find_model(model.parent)


def test_what_is_not_a_model_is_refused_in_one_line(model, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "v1-5.ckpt").touch()
    write_json(tmp_path / "model_index.json", {"unet": ["diffusers", "SD3Transformer2DModel"]})
    for path, words in ((tmp_path / "empty", "model_index.json"), (tmp_path / "v1-5.ckpt", "pickle"),
                        (tmp_path, "SD3Transformer2DModel"), (tmp_path / "nowhere", "unknown model")):
        with pytest.raises(UserError, match=words) as error:
            load_pipeline(path)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="no contrastive model"):
        save_pipeline(parts(), tmp_path / "plain")
        load_clip(tmp_path / "plain")


@pytest.mark.parametrize(("channels", "words"), [(8, "instruct-pix2pix"), (5, "depth2img"), (7, "x4-upscaler"),
                                                 (6, "6 channels")])
def test_unets_that_read_other_things_are_refused_by_name(tmp_path, channels, words):
    save_pipeline(parts(), tmp_path / "model")
    write_json(tmp_path / "model" / "unet" / "config.json", UNET.to_dict() | {"in_channels": channels})
    with pytest.raises(UserError, match=words):
        load_pipeline(tmp_path / "model")


@pytest.mark.parametrize("name", ["unet/config.json", "vae/diffusion_pytorch_model.safetensors", "model_index.json",
                                  "text_encoder/model.safetensors", "tokenizer/merges.txt",
                                  "scheduler/scheduler_config.json"])
def test_each_missing_file_is_named(model, name):
    path = model / name
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(UserError, match=Path(name).parent.name or "model_index") as error:
            load_pipeline(model)
    finally:
        path.write_bytes(content)
    assert "\n" not in str(error.value)

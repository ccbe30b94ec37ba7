"""A model written to a folder comes back as it was, lies there as diffusers expects, and damage has a clear end."""

import json
import os
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file, save_file

from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig, TextConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.nn.layers import Linear
from minidiff.nn.module import Module
from minidiff.storage.folders import load_model, save_model
from minidiff.storage.tensors import map_tensors
from minidiff.writing import write_json

SMALL = AutoencoderConfig(block_out_channels=(4, 6), layers_per_block=1, norm_num_groups=2, sample_size=16)
TEXT = TextConfig(vocab_size=20, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
                  max_position_embeddings=5)
WEIGHTS, TEXT_WEIGHTS = "diffusion_pytorch_model.safetensors", "model.safetensors"


def autoencoder(seed=0):
    return AutoencoderKL(np.random.default_rng(seed), SMALL)


def values(model):
    return {name: parameter.value for name, parameter in model.named_parameters()}


@pytest.fixture
def folder(tmp_path):
    save_model(autoencoder(), tmp_path / "vae")
    return tmp_path / "vae"


def reject(folder, *words, cls=AutoencoderKL, config_cls=AutoencoderConfig):
    with pytest.raises(UserError) as error:
        load_model(cls, config_cls, folder)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def edit(folder, change, filename=WEIGHTS):
    tensors = load_file(folder / filename)
    change(tensors)
    save_file(tensors, folder / filename)


def test_float32_comes_back_bit_for_bit(folder):
    model = load_model(AutoencoderKL, AutoencoderConfig, folder)
    assert model.config == SMALL
    for (name, value), (other, expected) in zip(values(model).items(), values(autoencoder()).items(), strict=True):
        assert name == other and value.dtype == np.float32
        assert_array_equal(value, expected)


def test_float16_comes_back_rounded_to_eleven_bits(tmp_path):
    save_model(autoencoder(), tmp_path / "vae", dtype="float16")
    assert {t.dtype.name for t in load_file(tmp_path / "vae" / WEIGHTS).values()} == {"float16"}
    for dtype in ("float16", "float32"):
        model = load_model(AutoencoderKL, AutoencoderConfig, tmp_path / "vae", dtype=dtype)
        for name, expected in values(autoencoder()).items():
            value = values(model)[name]
            assert value.dtype == dtype
            assert_allclose(value.astype("f4"), expected, rtol=2**-11, atol=2**-25)


def test_names_on_disk_are_attribute_paths_and_convolutions_have_pytorchs_layout(folder):
    tensors, model = load_file(folder / WEIGHTS), autoencoder()
    assert tensors.keys() == values(model).keys()
    kernel = model.encoder.down_blocks[1].resnets[0].conv1.weight.value  # (k, k, I, O) = (3, 3, 4, 6)
    stored = tensors["encoder.down_blocks.1.resnets.0.conv1.weight"]
    assert stored.shape == (6, 4, 3, 3)
    assert stored[5, 1, 2, 0] == kernel[2, 0, 1, 5]
    assert_array_equal(tensors["encoder.mid_block.attentions.0.to_q.weight"],
                       model.encoder.mid_block.attentions[0].to_q.weight.value)


def test_the_folder_is_what_diffusers_writes(folder, tmp_path):
    assert sorted(os.listdir(folder)) == ["config.json", WEIGHTS]
    assert json.loads((folder / "config.json").read_text())["_class_name"] == "AutoencoderKL"
    assert map_tensors(folder / WEIGHTS)[1] == {"format": "pt"}
    save_model(CLIPTextModel(np.random.default_rng(0), TEXT), tmp_path / "text")
    assert sorted(os.listdir(tmp_path / "text")) == ["config.json", TEXT_WEIGHTS]


def test_another_filename_and_half_precision_variants_are_found(tmp_path):
    save_model(autoencoder(), tmp_path / "vae", "float16", filename="diffusion_pytorch_model.fp16.safetensors")
    load_model(AutoencoderKL, AutoencoderConfig, tmp_path / "vae")


class Wide(Module):
    """Only a matrix of 4 MB."""

    def __init__(self, rng, config):
        self.config, self.layer = config, Linear(rng, 1024, 1024)

    class Config:
        from_dict = classmethod(lambda cls, values, source: cls())
        to_dict = staticmethod(dict)


def test_a_float32_matrix_stays_in_the_file(tmp_path):
    save_model(Wide(np.random.default_rng(0), Wide.Config()), tmp_path / "wide")
    load_model(Wide, Wide.Config, tmp_path / "wide", dtype="float16")  # imports what is imported late
    tracemalloc.start()
    try:
        model = load_model(Wide, Wide.Config, tmp_path / "wide")
        assert tracemalloc.get_traced_memory()[0] < 200_000
        copied = load_model(Wide, Wide.Config, tmp_path / "wide", dtype="float16")
        assert tracemalloc.get_traced_memory()[0] > 2_000_000
    finally:
        tracemalloc.stop()
    assert not model.layer.weight.value.flags.writeable
    assert_array_equal(model.layer.weight.value.astype("f2"), copied.layer.weight.value)


def test_a_model_can_be_saved_over_the_folder_it_is_mapped_from(tmp_path):
    save_model(Wide(np.random.default_rng(0), Wide.Config()), tmp_path / "wide")
    model = load_model(Wide, Wide.Config, tmp_path / "wide")
    before = model.layer.weight.value.copy()
    save_model(model, tmp_path / "wide")
    assert_array_equal(load_model(Wide, Wide.Config, tmp_path / "wide").layer.weight.value, before)


def test_text_encoders_may_have_a_prefix_position_ids_and_a_projection(tmp_path):
    model = CLIPTextModel(np.random.default_rng(0), TEXT)
    save_model(model, tmp_path / "text")
    tensors = {"text_model." + name: value for name, value in load_file(tmp_path / "text" / TEXT_WEIGHTS).items()}
    tensors["text_model.embeddings.position_ids"] = np.arange(5)[None]
    tensors["text_projection.weight"] = np.zeros((8, 8), "f4")  # of CLIPTextModelWithProjection
    save_file(tensors, tmp_path / "text" / TEXT_WEIGHTS)
    for name, value in values(load_model(CLIPTextModel, TextConfig, tmp_path / "text")).items():
        assert_array_equal(value, values(model)[name])


def test_older_autoencoders_have_other_names_of_attention(folder):
    new = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(tensors):
        for name in list(tensors):
            for word, old in new.items():
                if f".{word}." in name:
                    tensors[name.replace(f".{word}.", f".{old}.")] = tensors.pop(name)

    edit(folder, rename)
    assert any(".proj_attn." in name for name in load_file(folder / WEIGHTS))
    for name, value in values(load_model(AutoencoderKL, AutoencoderConfig, folder)).items():
        assert_array_equal(value, values(autoencoder())[name])


def test_tensors_that_do_not_fit_are_named(folder):
    edit(folder, lambda t: t.pop("quant_conv.bias"))
    reject(folder, WEIGHTS, "1 missing (first: quant_conv.bias)")
    edit(folder, lambda t: t.update({"quant_conv.bias": np.zeros((2, 1), "f4"), "more": np.zeros(2)}))
    reject(folder, WEIGHTS, "1 unexpected (first: more)", "first: quant_conv.bias (2, 1), not (8,)")
    edit(folder, lambda t: t.update({"quant_conv.bias": np.zeros(8, "i4")}) or t.pop("more"))
    reject(folder, WEIGHTS, "1 not floating-point (first: quant_conv.bias)")


def test_truncated_weights_are_refused(folder):
    whole = (folder / WEIGHTS).read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        (folder / WEIGHTS).write_bytes(whole[:length])
        reject(folder, WEIGHTS, "damaged")


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\xff{}"])
def test_a_config_that_is_not_a_json_object_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    reject(folder, "config.json")


@pytest.mark.parametrize("field", [{"block_out_channels": None}, {"block_out_channels": "ab"}, {"latent_channels": -1},
                                   {"block_out_channels": []}, {"layers_per_block": 1.5}, {"norm_num_groups": 0},
                                   {"norm_num_groups": 5}, {"latent_channels": 10**15}])
def test_a_config_that_describes_no_model_is_refused(folder, field):
    write_json(folder / "config.json", SMALL.to_dict() | field)
    reject(folder, "config.json")


def test_missing_files_are_named(folder, tmp_path):
    reject(tmp_path / "nowhere", "nowhere")
    os.rename(folder / "config.json", tmp_path / "config.json")
    reject(folder, "config.json", "No such file")
    os.rename(tmp_path / "config.json", folder / "config.json")
    (folder / WEIGHTS).unlink()
    reject(folder, f"no {WEIGHTS}")


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.ckpt"])
def test_pickles_are_never_opened(folder, name):
    os.rename(folder / WEIGHTS, folder / name)
    reject(folder, name, "pickle", "safetensors")


def test_values_too_large_for_float16_are_refused(tmp_path):
    model = autoencoder()
    model.quant_conv.bias.value[0] = 1e5
    with pytest.raises(UserError, match=r"quant_conv\.bias.*float16"):
        save_model(model, tmp_path / "vae", dtype="float16")
    assert os.listdir(tmp_path) == []

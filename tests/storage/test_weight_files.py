"""Weights are found in one file, in a variant of it, or in the shards of an index, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file
from tiny_pipeline import SIDE, tiny_pipeline

from minidiff import Pipeline
from minidiff.cli import main
from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig
from minidiff.storage.folders import load_model, save_model
from minidiff.storage.weight_files import weight_files

SMALL = AutoencoderConfig(block_out_channels=(4, 6), layers_per_block=1, norm_num_groups=2, sample_size=16)
NAME = "diffusion_pytorch_model"


@pytest.fixture
def folder(tmp_path):
    save_model(AutoencoderKL(np.random.default_rng(0), SMALL), tmp_path / "vae")
    return tmp_path / "vae"


def weights(folder):
    return {name: p.value for name, p in load_model(AutoencoderKL, AutoencoderConfig, folder).named_parameters()}


def shard(folder: Path, index: str = f"{NAME}.safetensors.index.json", **changes) -> None:
    """The weights of a folder in two files, which an index names."""
    tensors, files = load_file(folder / f"{NAME}.safetensors"), [f"{NAME}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    (folder / f"{NAME}.safetensors").unlink()
    names = sorted(tensors)
    places = {name: files[i % 2] for i, name in enumerate(names)}
    for file in files:
        save_file({name: tensors[name] for name in names if places[name] == file}, folder / file)
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": places} | changes))


@pytest.mark.parametrize("variant", ["fp16", "bf16", "fp32", "non_ema"])
def test_a_folder_with_only_a_variant_is_opened(folder, variant):
    expected = weights(folder)
    (folder / f"{NAME}.safetensors").rename(folder / f"{NAME}.{variant}.safetensors")
    for name, value in weights(folder).items():
        assert_array_equal(value, expected[name])


def test_the_plain_file_is_preferred_then_the_most_exact_variant(folder):
    for variant in ("fp16", "fp32"):
        (folder / f"{NAME}.{variant}.safetensors").write_bytes((folder / f"{NAME}.safetensors").read_bytes())
    assert [file.name for file in weight_files(folder)] == [f"{NAME}.safetensors"]
    (folder / f"{NAME}.safetensors").unlink()
    assert [file.name for file in weight_files(folder)] == [f"{NAME}.fp32.safetensors"]


@pytest.mark.parametrize("index", [f"{NAME}.safetensors.index.json", f"{NAME}.safetensors.index.fp16.json"])
def test_shards_are_put_together(folder, index):
    expected, size = weights(folder), (folder / f"{NAME}.safetensors").stat().st_size
    shard(folder, index)
    for name, value in weights(folder).items():
        assert_array_equal(value, expected[name])
    assert len(weight_files(folder)) == 2 and sum(file.stat().st_size for file in weight_files(folder)) > size / 2


@pytest.mark.parametrize(("content", "words"), [
    ({"weight_map": {}}, "has no weight_map"), ({"weight_map": [1]}, "has no weight_map"),
    ({"weight_map": {"a": 3}}, "names 3"), ({"weight_map": {"a": "../vae/x.safetensors"}}, "names '../vae"),
    ({"weight_map": {"a": "/etc/passwd"}}, "no safetensors file of its folder"),
    ({"weight_map": {"a": "gone.safetensors"}}, "names gone.safetensors, which is not there"),
    ({"weight_map": {"a": f"{NAME}-00001-of-00002.safetensors"}}, "where it is not"),
    ({"weight_map": {"a": "b" * 10**6}}, "larger than 1 MB"),
    ({"weight_map": {"a": f"{'b' * 300}.safetensors"}}, "no safetensors file of its folder"),
])
def test_an_index_that_is_wrong_is_one_line(folder, content, words):
    shard(folder, **content)
    with pytest.raises(UserError) as error:
        weights(folder)
    assert words in str(error.value) and len(str(error.value)) < 500


def test_weights_of_eight_bits_are_named_as_what_they_are(folder):
    file = folder / f"{NAME}.safetensors"
    header = b'{"quant_conv.bias":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}'
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(UserError, match=r"fp8 weights \(F8_E4M3\): get the model in float16 or float32"):
        weights(folder)


@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "uint8", "complex64", None, 3, object, [1], "x" * 10**6])
def test_weights_are_read_and_written_as_floats_of_a_few_kinds_only(tmp_path, dtype):
    pipe = tiny_pipeline()
    pipe.save_pretrained(tmp_path / "model")
    for call in (lambda: pipe.save_pretrained(tmp_path / "model", dtype=dtype),
                 lambda: Pipeline.from_pretrained(tmp_path / "model", dtype=dtype)):
        with pytest.raises(UserError, match="use float32, float16 or float64"):
            call()
    assert Pipeline.from_pretrained(tmp_path / "model", "cpu", np.float64).unet.conv_in.weight.value.dtype == np.float64


def test_info_counts_the_files_that_are_read(tmp_path, capsys):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    assert main(["info", str(tmp_path / "model")]) == 0
    before = capsys.readouterr().out
    copy = tmp_path / "model" / "unet" / f"{NAME}.non_ema.safetensors"
    copy.write_bytes((copy.parent / f"{NAME}.safetensors").read_bytes())
    assert main(["info", str(tmp_path / "model")]) == 0
    assert capsys.readouterr().out == before
    assert f"latents {SIDE // 2} x {SIDE // 2} x 4" in before

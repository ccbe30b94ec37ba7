"""Single files in the original layout open as the models that they hold, and nothing else does."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from ldm_layout import SCHEDULER, tiny_stable_diffusion, write_single_file
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff import Pipeline
from minidiff.cli import main
from minidiff.errors import UserError
from minidiff.storage.single_file import load_single_file
from minidiff.tokenizer import Tokenizer

MODELS = ("unet", "vae", "text_encoder")
UNSURE = "ignore:.* does not say what its UNet predicts"
pytestmark = pytest.mark.filterwarnings(UNSURE)


@pytest.fixture(scope="module", params=[1, 2], ids=["version 1", "version 2"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def pipe(version):
    return tiny_stable_diffusion(version)


@pytest.fixture(scope="module")
def file(version, pipe, tmp_path_factory):
    """A model's file, with the tokenizer of version 1, whatever the model, in a folder beside it."""
    path = tmp_path_factory.mktemp("downloads") / "model.safetensors"
    write_single_file(pipe, version, path)
    Tokenizer(pipe.tokenizer.merges).save_pretrained(path.parent / "tokenizer")
    return path


def edited(file, tmp_path, change):
    """A copy of the file with its tensors changed."""
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, tmp_path / "edited.safetensors")
    return tmp_path / "edited.safetensors"


def refusal(path, **options):
    with pytest.raises(UserError) as error:
        load_single_file(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_weight_and_setting_comes_back(file, pipe):
    loaded = Pipeline.from_pretrained(file, "cpu")
    for name in MODELS:
        ours, expected = getattr(loaded, name), getattr(pipe, name)
        assert ours.config == expected.config
        for (path, value), (own, wanted) in zip(ours.named_parameters(), expected.named_parameters(), strict=True):
            assert path == own
            assert value.value.flags.c_contiguous
            assert_array_equal(value.value, wanted.value, err_msg=path)
    assert loaded.scheduler | SCHEDULER == loaded.scheduler
    assert_array_equal(loaded.tokenizer(WORDS), pipe.tokenizer(WORDS))
    assert loaded.tokenizer.pad_token == pipe.tokenizer.pad_token


def test_info_tells_what_is_in_a_file(file, pipe, capsys):
    assert main(["info", str(file)]) == 0
    out = capsys.readouterr().out
    for name in MODELS:
        assert f"{sum(p.value.size for p in getattr(pipe, name).parameters()):,} parameters\n" in out
    assert f"{file.stat().st_size / 1e6:.2f} MB of weights in all" in out
    shutil.copy(file, file.parent.parent)
    assert main(["info", str(file.parent.parent / file.name)]) == 2
    assert main(["info", str(file.parent.parent / file.name), "--tokenizer", str(file.parent / "tokenizer")]) == 0


def test_linear_weights_are_mapped_from_the_file(file):
    weight = load_single_file(file).unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_k.weight.value
    assert not weight.flags.writeable and not weight.flags.owndata


def test_a_file_in_half_precision_is_computed_in_float32(file, tmp_path, pipe):
    def halve(tensors):
        tensors |= {name: value.astype(np.float16) for name, value in tensors.items() if value.dtype == np.float32}
    parts = load_single_file(edited(file, tmp_path, halve), file.parent / "tokenizer")
    assert {p.value.dtype for name in MODELS for p in getattr(parts, name).parameters()} == {np.dtype("float32")}
    assert_array_equal(parts.unet.conv_in.weight.value, pipe.unet.conv_in.weight.value.astype(np.float16))


def test_the_prediction_type_is_an_option_since_the_file_does_not_hold_it(file, version):
    parts = load_single_file(file, prediction_type="v_prediction")
    assert parts.scheduler["prediction_type"] == "v_prediction"
    assert parts.unet.config.sample_size == (96 if version == 2 else 64)  # 768 pixels are version 2's
    assert "v_prediction" in refusal(file, prediction_type="velocity")


def test_the_tokenizer_is_looked_for_next_to_the_file_or_in_the_folder_given(file, tmp_path):
    copy = tmp_path / "model.safetensors"
    copy.symlink_to(file)
    message = refusal(copy)
    for words in ("model.safetensors contains no tokenizer", str(tmp_path / "tokenizer"), "vocab.json and merges.txt"):
        assert words in message
    assert str(tmp_path / "elsewhere") in refusal(copy, tokenizer=tmp_path / "elsewhere")
    expected = load_single_file(copy, file.parent / "tokenizer").tokenizer
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(file.parent / "tokenizer" / name, tmp_path)
    assert load_single_file(copy).tokenizer(WORDS).tolist() == expected(WORDS).tolist()
    Tokenizer([]).save_pretrained(tmp_path / "other")
    assert "the one that the model was trained with" in refusal(copy, tokenizer=tmp_path / "other")


@pytest.mark.parametrize(("mark", "metadata", "expected"), [
    ({"v_pred": np.zeros(0, np.float32)}, {}, "v_prediction"),
    ({}, {"modelspec.prediction_type": "v"}, "v_prediction"),
    ({}, {"modelspec.prediction_type": "epsilon", "modelspec.resolution": "768x768"}, "epsilon"),
    ({}, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction"),
    ({}, {"modelspec.resolution": "768x768"}, "v_prediction"),
    ({"v_pred": np.zeros(0), "ztsnr": np.zeros(0)}, {}, "v_prediction")])
def test_a_file_that_says_what_it_predicts_is_believed(file, tmp_path, version, mark, metadata, expected):
    save_file(load_file(file) | mark, tmp_path / "marked.safetensors", metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = load_single_file(tmp_path / "marked.safetensors", file.parent / "tokenizer").scheduler
        assert load_single_file(tmp_path / "marked.safetensors", file.parent / "tokenizer",
                                "epsilon").scheduler["prediction_type"] == "epsilon"
    assert scheduler["prediction_type"] == expected
    assert scheduler.get("rescale_betas_zero_snr", False) == ("ztsnr" in mark)


def test_a_file_of_version_2_that_says_nothing_is_drawn_with_a_warning(file, version):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        load_single_file(file)
        load_single_file(file, prediction_type="epsilon")
    assert [("--prediction v_prediction" in str(one.message)) for one in found] == [True] * (version == 2)


@pytest.mark.parametrize(("channels", "word"), [
    (9, None), (8, "instruct-pix2pix"), (5, "depth2img"), (6, "6 channels")])
def test_what_a_unet_reads_besides_latents_is_named(file, tmp_path, channels, word):
    def widen(tensors):
        weight = tensors["model.diffusion_model.input_blocks.0.0.weight"]
        tensors["model.diffusion_model.input_blocks.0.0.weight"] = np.repeat(weight[:, :1], channels, axis=1)

    path = edited(file, tmp_path, widen)
    if word is None:
        assert load_single_file(path, file.parent / "tokenizer").unet.config.in_channels == 9
    else:
        assert word in refusal(path, tokenizer=file.parent / "tokenizer")


@pytest.mark.parametrize(("change", "words"), [
    (lambda tensors: tensors.clear(), "model.diffusion_model"),
    (lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("cond_")], "cond_stage_model"),
    (lambda tensors: tensors.pop("model.diffusion_model.middle_block.1.proj_in.weight"), "mid_block.attentions.0"),
    (lambda tensors: tensors.pop("first_stage_model.decoder.up.1.block.1.conv2.bias"), "1 missing"),
    (lambda tensors: tensors.update({"model.diffusion_model.label_emb.0.0.bias": np.ones(2)}), "1 unexpected"),
    (lambda tensors: tensors.update({"model.diffusion_model.out.0.weight": np.ones(3)}), "1 of the wrong shape"),
], ids=["empty", "no text encoder", "no attention", "one missing", "one too many", "another shape"])
def test_other_files_are_refused_in_one_line(file, tmp_path, change, words):
    assert words in refusal(edited(file, tmp_path, change), tokenizer=file.parent / "tokenizer")


def test_damaged_missing_and_pickled_files_are_refused(tmp_path):
    (tmp_path / "short.safetensors").write_bytes(b"12")
    (tmp_path / "model.ckpt").touch()
    assert "damaged" in refusal(tmp_path / "short.safetensors")
    assert "missing" in refusal(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="pickle"):
        Pipeline.from_pretrained(tmp_path / "model.ckpt")


def test_a_folder_says_its_own_tokenizer_and_prediction_type(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    for option in ({"tokenizer": tmp_path}, {"prediction_type": "epsilon"}):
        with pytest.raises(UserError, match="not a single file"):
            Pipeline.from_pretrained(tmp_path / "model", **option)


def test_generate_draws_with_a_single_file(file, tmp_path, version):
    kind = "v_prediction" if version == 2 else "epsilon"
    for arguments in ([], ["--prediction", kind, "--tokenizer", str(file.parent / "tokenizer")]):
        assert main(["generate", WORDS[0], "--model", str(file), "--steps", "1", "--height", "16", "--width", "16",
                     "--device", "cpu", "-o", str(tmp_path / "a.png"), *arguments]) == 0
    assert (tmp_path / "a.png").is_file()

"""A folder is there whole or not at all, and nothing of another is lost in its writing."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig
from minidiff.storage.files import finish_swap, new_folder
from minidiff.storage.folders import load_model, save_model

SMALL = AutoencoderConfig(block_out_channels=(4, 6), layers_per_block=1, norm_num_groups=2, sample_size=16)


def autoencoder(seed=0):
    return AutoencoderKL(np.random.default_rng(seed), SMALL)


@pytest.fixture
def folder(tmp_path):
    save_model(autoencoder(), tmp_path / "vae")
    return tmp_path / "vae"


@pytest.mark.parametrize("call", ["os.rename", "os.fsync"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_folder_that_could_not_be_written_keeps_the_old_one(folder, monkeypatch, fault, call):
    rename, calls = os.rename, []

    def fail(*paths):
        calls.append(paths)
        if call == "os.fsync" or len(calls) == 2:  # between the two renames
            raise fault
        rename(*paths)

    monkeypatch.setattr(call, fail)
    with pytest.raises((UserError, KeyboardInterrupt)):
        save_model(autoencoder(1), folder)
    monkeypatch.undo()
    assert os.listdir(folder.parent) == ["vae"]
    model = load_model(AutoencoderKL, AutoencoderConfig, folder)
    assert_array_equal(model.quant_conv.weight.value, autoencoder().quant_conv.weight.value)


def test_a_process_that_died_between_two_renames_loses_nothing(folder):
    os.rename(folder, folder.with_name(".vae.old"))
    shutil.copytree(folder.with_name(".vae.old"), folder.with_name(".vae.new"))
    finish_swap(folder)
    load_model(AutoencoderKL, AutoencoderConfig, folder)
    save_model(autoencoder(), folder)
    assert os.listdir(folder.parent) == ["vae"]


def test_a_folder_with_other_things_in_it_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError, match=r"thesis\.txt"):
        save_model(autoencoder(), tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "vae"):
        with pytest.raises(UserError, match=r"cannot write .*file") as error:
            save_model(autoencoder(), place)
        assert "\n" not in str(error.value)


def test_a_folder_appears_only_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "a") as temporary:
        (temporary / "b").touch()
        assert not (tmp_path / "a").exists()
    assert os.listdir(tmp_path / "a") == ["b"]

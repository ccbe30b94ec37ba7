"""A folder is there whole or not at all, and nothing of another is lost in its writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from run_python import ENVIRONMENT

from minidiff import writing
from minidiff.errors import UserError
from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig
from minidiff.storage.folders import load_model, save_model
from minidiff.writing import clear_left_behind, new_file, new_folder, surviving

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


def test_an_old_folder_that_cannot_be_put_back_is_kept_and_named(folder, monkeypatch):
    rename, calls = os.rename, []

    def fail(*paths):
        calls.append(paths)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        rename(*paths)

    monkeypatch.setattr("os.rename", fail)
    with pytest.raises(UserError, match=r"what it held is in .*old.vae$") as error:
        save_model(autoencoder(1), folder)
    assert sorted(os.listdir(surviving(folder))) == ["config.json", "diffusion_pytorch_model.safetensors"]
    assert str(error.value).endswith(str(surviving(folder)))


DIES = """
import os, signal, sys
from pathlib import Path
from minidiff import writing
real, calls = os.rename, []
def rename(*paths):
    calls.append(paths)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*paths)
writing.os.rename = rename
with writing.new_folder(Path(sys.argv[1])) as new:
    (new / "config.json").write_text("new")
"""


def test_a_process_killed_between_two_renames_loses_nothing_and_reading_changes_nothing(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("old")
    done = subprocess.run([sys.executable, "-c", DIES, str(folder)], env=ENVIRONMENT)
    assert done.returncode == -signal.SIGKILL and not folder.exists()
    before = tree(tmp_path)
    assert (surviving(folder) / "config.json").read_text() == "old"
    assert tree(tmp_path) == before
    with new_file(tmp_path / "other") as path:  # any writer puts it back, and clears up
        path.touch()
    assert (folder / "config.json").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["model", "other"]


def test_what_another_process_is_writing_is_left_to_it(tmp_path):
    with new_file(tmp_path / "a") as first, new_file(tmp_path / "b") as second:
        first.write_text("a")
        second.write_text("b")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "a", "b": "b"}


def test_folders_of_a_person_are_neither_read_nor_removed_whatever_their_names(tmp_path):
    for name in (".m.old", ".m.new", ".minidiff-notes", ".minidiff-a2345678"):
        (tmp_path / name / "photos").mkdir(parents=True)
        (tmp_path / name / "photos" / "thesis.txt").touch()
    before = tree(tmp_path)
    assert surviving(tmp_path / "m") == tmp_path / "m"
    with new_folder(tmp_path / "m") as new:
        (new / "a").touch()
    assert tree(tmp_path) == sorted([*before, "m", "m/a"])


def test_temporary_names_cannot_be_guessed_and_links_are_replaced_not_followed(tmp_path):
    (tmp_path / "precious").write_text("whole")
    (tmp_path / "a").symlink_to(tmp_path / "precious")
    names = set()
    for _ in range(2):
        with new_file(tmp_path / "a") as path:
            names.add(path)
            assert path.name == "a" and path.parents[1].stat().st_mode & 0o077 == 0
            path.write_text("new")
    assert len(names) == 2
    assert (tmp_path / "precious").read_text() == "whole"
    assert (tmp_path / "a").read_text() == "new" and not (tmp_path / "a").is_symlink()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "b").write_text("whole")
    (tmp_path / "linked").symlink_to(tmp_path / "kept")
    with new_folder(tmp_path / "linked") as new:
        (new / "b").write_text("new")
    assert (tmp_path / "kept" / "b").read_text() == "whole" and (tmp_path / "linked" / "b").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
def test_folders_of_another_user_are_left_alone(tmp_path, monkeypatch):
    for name in ("new", "old/a"):
        (tmp_path / ".minidiff-abcdefgh" / name).mkdir(parents=True)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert surviving(tmp_path / "a") == tmp_path / "a"
    clear_left_behind(tmp_path)
    monkeypatch.undo()
    assert surviving(tmp_path / "a") == tmp_path / ".minidiff-abcdefgh/old/a"


def test_remains_inside_a_folder_that_is_replaced_are_no_loss(tmp_path):
    (tmp_path / "a" / "inside" / ".minidiff-abcdefgh" / "new").mkdir(parents=True)
    (tmp_path / "a" / "inside" / ".minidiff-abcdefgh" / "old").mkdir()
    with new_folder(tmp_path / "a") as new:
        (new / "inside").mkdir()
    assert tree(tmp_path) == ["a", "a/inside"]


def test_a_rename_is_on_disk_before_a_folder_counts_as_written(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "rename", lambda *paths, real=os.rename: (calls.append("rename"), real(*paths)))
    monkeypatch.setattr(writing, "_flush", lambda path: calls.append(path.name))
    with new_folder(tmp_path / "a"):
        pass
    assert calls == ["a", "rename", tmp_path.name]


@pytest.mark.parametrize("planted", ["new", "old"])
def test_a_planted_folder_moves_nothing_away(tmp_path, planted):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "letter").touch()
    place = tmp_path / "shared" / ".minidiff-abcdefgh"
    for name in {"new", "old"} - {planted}:
        (place / name).mkdir(parents=True)
    (place / planted).symlink_to(tmp_path / "kept")
    with new_file(tmp_path / "shared" / "a") as path:
        path.touch()
    assert os.listdir(tmp_path / "kept") == ["letter"]


def test_a_file_that_could_not_be_written_keeps_the_old_one(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(UserError, match="No space left"), new_file(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError(28, "No space left on device")
    assert (tmp_path / "a").read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_written_files_have_the_permissions_of_any_other(tmp_path):
    (tmp_path / "usual").touch()
    with new_file(tmp_path / "a") as path:
        path.touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_with_other_things_in_it_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UserError, match=r"thesis\.txt"):
        save_model(autoencoder(), tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_not_even_deep_inside_is_anything_lost(tmp_path):
    def save():
        with new_folder(tmp_path / "model") as new:
            (new / "unet").mkdir()
            (new / "unet" / "config.json").touch()

    save()
    for name in ("my-notes.txt", "empty"):
        thing = tmp_path / "model" / "unet" / name
        thing.mkdir() if name == "empty" else thing.touch()
        with pytest.raises(UserError, match=f"unet/{name}, which would be lost"):
            save()
        assert thing.exists() and os.listdir(tmp_path) == ["model"]
        thing.rmdir() if name == "empty" else thing.unlink()
    save()


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

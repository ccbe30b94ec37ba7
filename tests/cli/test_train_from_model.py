"""What train --from says of settings that are the model's, and of captions and images that it reads otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minidiff.cli import main
from minidiff.storage import pipeline_folder
from minidiff.storage.pipeline_folder import load_pipeline
from minidiff.training import start

SHORT, LONG = "a red heart", "a red heart above a blue elephant " * 5


@pytest.fixture(autouse=True)
def own(folder):
    np.savez("own.npz", images=np.zeros((20, 32, 40, 3), np.uint8), captions=[SHORT] * 12 + [LONG] * 8)


def notes(capsys, *arguments, code=0):
    """The lines that a dry run from the shipped model writes to standard error."""
    assert main(["train", "--from", "scenes", "--dry-run", *arguments]) == code
    out, err = capsys.readouterr()
    assert code or json.loads(out)
    assert max(map(len, err.splitlines()), default=0) < 500
    return err


def test_captions_words_and_sizes_that_the_model_reads_otherwise_are_counted(capsys):
    err = notes(capsys, "--data", "own.npz")
    assert "8 of 20 captions are longer than the 20 tokens that scenes reads, and are cut off there, such as 'a" in err
    assert "1 of 6 words are no tokens of scenes, which reads them in pieces: elephant" in err
    assert "32 pixels on the shorter side (median), are scaled up, and so are not sharp, to the 64 of scenes" in err
    assert err.count("\n") == 4


def test_what_the_model_reads_as_it_is_needs_no_note(capsys):
    np.savez("own.npz", images=np.zeros((20, 64, 64, 3), np.uint8), captions=[SHORT] * 20)
    assert notes(capsys, "--data", "own.npz").count("\n") == 1
    assert notes(capsys) == ""
    np.savez("own.npz", images=np.zeros((20, 100, 200, 3), np.uint8), captions=[SHORT] * 20)
    assert "100 pixels on the shorter side (median), are scaled down to the 64" in notes(capsys, "--data", "own.npz")


def test_settings_that_are_the_models_are_named(capsys):
    err = notes(capsys, "--preset", "tiny")
    assert "scenes has settings of its own, not those of preset tiny: autoencoder.block_out_channels, " in err
    assert " more" in err
    assert notes(capsys, "--train_autoencoder.steps", "9", "--text.vocab_size", "600") == (
        "minidiff: note: no effect: text.vocab_size, train_autoencoder.steps; the parts of scenes that they are for "
        "stay as they are\n")
    assert "no effect: unet.layers_per_block;" in notes(capsys, "--lora", "4", "--unet.layers_per_block", "2")
    assert notes(capsys, "--diffusion.prediction", "epsilon") == (
        "minidiff: note: the UNet of scenes has learned flow_prediction, and must learn epsilon anew\n")


def test_the_model_is_read_once_and_copied(monkeypatch):
    read = []

    def counted(model, *arguments, **options):
        read.append(str(model))
        return load_pipeline(model, *arguments, **options)

    for module in (pipeline_folder, start):
        monkeypatch.setattr(module, "load_pipeline", counted)
    assert main(["train", "--from", "scenes", "--out", "run", "--stage", "tokenizer"]) == 0
    assert read.count("scenes") == 1 and Path("run/start/unet").is_dir()


@pytest.mark.parametrize("arguments, message", [
    (["--text.max_length", "30"], "text: a run with max_length = 30 cannot start from a model with 20: leave"),
    (["--size", "32"], "autoencoder: a run with size = 32 cannot start from a model with 64"),
    (["--class-labels", "--data", "own.npz"], "class labels are those of a new model, and a model keeps its")])
def test_other_sizes_than_the_models_are_refused_in_a_dry_run_too(capsys, arguments, message):
    assert message in notes(capsys, *arguments, code=2)

"""train --class-labels on an .npz of labelled images, and what generate, evaluate and info say of its model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minidiff.cli import main

SMALLEST = """--preset tiny --autoencoder.block_out_channels 8,8 --text.hidden_size 8 --unet.block_out_channels 8,8
    --unet.attention_levels false,true --unet.norm_num_groups 4 --diffusion.num_inference_steps 2
    --train_autoencoder.steps 2 --train_autoencoder.batch_size 2 --train_diffusion.steps 2
    --train_diffusion.batch_size 2 --data.held_out_fraction 0.2 --threads 1""".split()


@pytest.fixture
def digits(folder):
    rng = np.random.default_rng(0)
    np.savez("digits.npz", images=rng.integers(0, 256, (60, 16, 16), np.uint8), labels=np.arange(60) % 3,
             class_names=["zero", "traffic_light", "two"])
    return folder / "digits.npz"


@pytest.mark.usefixtures("digits")
def test_a_run_with_class_labels_ends_with_a_model_that_draws_them(capsys):
    assert main(["train", "--data", "digits.npz", "--class-labels", "--out", "run", *SMALLEST]) == 0
    out, err = capsys.readouterr()
    assert "size 16, 3 classes" in err and "warning" not in err
    assert "without a contrastive stage no image encoder can say whether they are right" in out
    report = Path("run/report.md").read_text(encoding="utf-8")
    assert "The model has no image encoder" in report and "contrastive" not in report
    assert main(["generate", "a traffic light", "--model", "run/model", "-o", "light.png"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["generate", "a dog", "--model", "run/model", "-o", "dog.png"]) == 0
    assert "'a dog' is none of the classes that this model has learned: a traffic light, a two" in (
        capsys.readouterr().err)
    assert main(["evaluate", "run/model", "--data", "digits.npz", "--json", "--count", "4"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["recall"] is None and "compared by their pixels alone" in err
    assert main(["info", "run/model"]) == 0
    assert main(["train", "--resume", "--out", "run", "--stage", "contrastive"]) == 2


@pytest.mark.usefixtures("digits")
def test_a_dry_run_shows_what_class_labels_set(capsys):
    assert main(["train", "--data", "digits.npz", "--class-labels", "--dry-run"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["text"] | {"class_labels": True, "max_length": 3, "num_hidden_layers": 0,
                               "vocab_size": 517} == settings["text"]
    assert settings["diffusion"]["train_text_encoder"] and settings["diffusion"]["clip_skip"] == 0
    assert main(["train", "--class-labels", "--dry-run"]) == 2
    assert "scenes, the built-in ones or of emoji, have too many different captions" in capsys.readouterr().err
    np.savez("many.npz", images=np.zeros((1200, 16, 16), np.uint8), labels=np.arange(1200))
    assert main(["train", "--data", "many.npz", "--class-labels", "--dry-run"]) == 2
    assert "1200 different captions are too many for class labels, 1000 are the most" in capsys.readouterr().err

"""A run on images without a judge ends with scores of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from image_checks import read_pixels
from memory_source import MemorySource
from test_train_command import SMALLEST

from minidiff.cli import main


@pytest.mark.parametrize("held_out", [6, 0])
def test_a_run_on_other_images_is_scored_by_those_that_are_held_out(monkeypatch, capsys, held_out):
    monkeypatch.setattr("minidiff.training.run.open_source", lambda *_: MemorySource(16, 32, held_out))
    assert main(["train", "--out", "run", *SMALLEST, "--train_diffusion.steps", "20"]) == 0
    said, report = capsys.readouterr().out, Path("run/report.md").read_text(encoding="utf-8")
    if held_out:
        scores = json.loads(Path("run/scores.json").read_text())
        assert scores["images"] == 6 and scores["copies"]["training_images"] == 32
        assert f"{scores['copies']['copied']:.2f} of the images are close to training images (0.05 by chance)" in said
        assert "| 6 held-out captions | drawn | true images |" in report
    else:
        assert not Path("run/scores.json").exists()
        assert "run/model is trained; see run/report.md" in said
        assert "too few held-out images" in report


@pytest.mark.parametrize("clip", [True, False])
def test_a_lora_is_scored_as_the_model_that_it_makes(monkeypatch, clip):
    for module in ("run", "lora"):
        monkeypatch.setattr(f"minidiff.training.{module}.open_source", lambda *_: MemorySource(16, 32, 6))
    assert main(["train", "--out", "base", *SMALLEST, "--train_diffusion.steps", "20"]) == 0
    if not clip:
        shutil.rmtree("base/model/clip")
    assert main(["train", "--out", "run", "--from", "base/model", "--lora", "2", "--train_lora.steps", "20",
                 "--train_lora.batch_size", "2", "--train_lora.learning_rate", "0.3", "--threads", "1"]) == 0
    scores, before = (json.loads(Path(name, "scores.json").read_text()) for name in ("run", "base"))
    assert scores["images"] == before["images"] == 6
    assert scores["psnr"] == before["psnr"]  # the autoencoder is the same
    assert scores["copies"]["drawn_median"] != before["copies"]["drawn_median"]
    assert ("| kernel distance" in Path("run/report.md").read_text(encoding="utf-8")) == clip
    assert read_pixels("run/samples/lora-00000020.png").shape[1] == 6 * (160 + 8) + 8

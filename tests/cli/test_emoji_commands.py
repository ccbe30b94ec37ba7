"""The commands on a set of emoji: data emoji, data preview, train, evaluate and generate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from emoji_folder import THINGS, emoji_folder, raw_set
from image_checks import read_pixels
from PIL import Image
from test_train_on_own_images import SMALLEST

from minidiff.cli import main
from minidiff.data.emoji.vocabulary import KINDS

EMOJI = [*SMALLEST, "--size", "16", "--text.max_length", "16", "--text.vocab_size", "700", "--diffusion.latents", "40"]


@pytest.fixture
def fewer_captions(monkeypatch):
    monkeypatch.setattr("minidiff.data.emoji_source.CAPTIONS", 500)
    monkeypatch.setattr("minidiff.cli.train.FINAL_COUNT", 2)


def test_data_emoji_makes_a_folder_and_says_how_to_train_on_it(capsys):
    raw_set(Path("raw"))
    Image.new("RGB", (16, 16)).save("raw/set/face.png")
    assert main(["data", "emoji", "raw/set", "--names", "raw/data.json", "-o", "made"]) == 0
    out, err = capsys.readouterr()
    assert out == "made: 30 emoji\nto train on them: minidiff train --preset emoji --data emoji:made\n"
    assert err == "minidiff: note: left out, as they have no emoji's name or that of another file: face.png\n"
    assert main(["data", "check", "made"]) == 0
    assert "captions       30 different" in capsys.readouterr().out
    assert main(["data", "emoji", "raw/set", "-o", "made too"]) == 0
    assert capsys.readouterr().out.endswith(" --data 'emoji:made too'\n")
    assert main(["data", "emoji", "raw/set", "-o", "made"]) == 2
    assert "made exists already" in capsys.readouterr().err
    assert main(["data", "emoji", "nowhere"]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_preview_shows_names_and_scenes_as_training_sees_them(capsys):
    emoji_folder(Path("own"))
    assert main(["data", "preview", "emoji:own/emoji", "--count", "9", "--size", "32", "-o", "look.png"]) == 0
    assert main(["data", "preview", "emoji:own/emoji", "--count", "9", "--size", "32", "--seed", "1"]) == 0
    look, other = read_pixels("look.png"), read_pixels("preview.png")
    assert look.shape[1] == other.shape[1] == 3 * (160 + 8) + 8
    assert look.shape != other.shape or (look != other).any()
    assert main(["data", "preview", "emoji:own", "-o", "none.png"]) == 2
    assert "own has no metadata.jsonl with the names of emoji: make such a folder" in capsys.readouterr().err
    assert not Path("none.png").exists()


@pytest.mark.filterwarnings("ignore:.* prompts are not read as a whole")
@pytest.mark.usefixtures("fewer_captions")
def test_a_run_on_emoji_ends_with_scores_a_report_and_a_model_that_draws(capsys):
    emoji_folder(Path("own"))
    assert main(["train", "--data", "emoji:own/emoji", "--out", "run", *EMOJI]) == 0
    out, err = capsys.readouterr()
    assert f"30 emoji in {Path('own/emoji').resolve()}" in err
    scores = json.loads(Path("run/scores.json").read_text())
    assert scores["named"]["count"] == 2 and scores["composed"]["count"] == 1
    assert {*scores["words"]} == {*KINDS}
    assert f"run/model draws {scores['named']['all']:.2f} of 2 names and " in out
    assert "of held-out skin tones right; of scenes with held-out words " in out
    assert 'try it: minidiff generate --model run/model "waving hand: light skin tone"' in out
    report = Path("run/report.md").read_text("utf-8")
    assert "| drawn right | model | autoencoder | true images |" in report
    assert "| coloured, words held out | " in report
    assert main(["generate", "a penguin", "--model", "run/model", "-o", "drawn.png"]) == 0
    assert read_pixels("drawn.png").shape == (16, 16, 3)
    assert main(["evaluate", "run/model", "--count", "3", "--json", "--failures", "wrong.png"]) == 0
    scores = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert scores["settings"]["source"] == f"emoji:{Path('own/emoji').resolve()}"
    assert scores["copies"]["training_images"] == 29
    assert read_pixels("wrong.png").shape[1] > 200
    shutil.copytree("run/model", "alone")
    shutil.copy("run/settings.json", "alone")
    Path("own").rename("moved")
    assert main(["evaluate", "run/model", "--count", "1"]) == 0  # the run has a copy of its images
    assert main(["evaluate", "alone"]) == 2
    assert "own/emoji, which the model was trained on, is not here: say where its images" in capsys.readouterr().err
    assert main(["evaluate", "alone", "--data", "emoji:moved/emoji", "--count", "1"]) == 0


@pytest.mark.usefixtures("fewer_captions")
def test_a_set_without_tones_and_tags_is_trained_on_and_scored():
    emoji_folder(Path("own"), [(*one[:2], (), *one[3:]) for one in THINGS if one[3] not in ("people", "flags")])
    assert main(["train", "--data", "emoji:own/emoji", "--out", "run", *EMOJI]) == 0
    scores = json.loads(Path("run/scores.json").read_text())
    assert scores["composed"] == {"count": 0} and scores["copies"] is None
    assert {*scores["words"]} == {*KINDS} - {"described"}
    assert "held-out skin tones" not in Path("run/report.md").read_text("utf-8")


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_what_is_no_set_of_emoji_is_refused_before_a_run_is_made(capsys, more):
    Path("photos").mkdir()
    Image.new("RGB", (32, 32)).save("photos/a cat.png")
    for name in ("photos", "nowhere"):
        assert main(["train", "--data", f"emoji:{name}", "--out", "run", *more]) == 2
        assert f"{name} has no metadata.jsonl with the names of emoji: make such" in capsys.readouterr().err
    emoji_folder(Path("own"))
    for wrong in (["--class-labels"], ["--buckets"], ["--data.free_wording", "2"]):
        assert main(["train", "--data", "emoji:own/emoji", "--out", "run", *wrong, *more]) == 2
        assert "minidiff: error: " in capsys.readouterr().err
    assert not Path("run").exists()


def test_a_dry_run_shows_the_settings_of_the_preset(capsys):
    emoji_folder(Path("own"))
    assert main(["train", "--preset", "emoji", "--data", "emoji:own/emoji", "--dry-run"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["data"]["source"] == f"emoji:{Path('own/emoji').resolve()}"
    assert settings["text"]["max_length"] == 24 and settings["data"]["free_wording"] == 0.0

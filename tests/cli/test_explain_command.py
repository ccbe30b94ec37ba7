"""`minidiff explain`: one page, named after its prompt or as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest
from explained_page import data_in
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff.cli import main


def test_explain_names_the_page_like_its_prompt_and_says_so(model, capsys):
    assert main(["explain", WORDS[0], "--model", str(model), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("a-red-heart-above-a-blue-square.html  (0.")
    text = Path("a-red-heart-above-a-blue-square.html").read_text("utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n") and f"--model {model} --seed 0" in text


def test_a_second_page_of_a_prompt_has_a_number(model):
    Path("a-star.html").write_text("my notes")
    assert main(["explain", "a star", "--model", str(model), "--device", "cpu"]) == 0
    assert Path("a-star.html").read_text() == "my notes" and Path("a-star-2.html").stat().st_size > 1000


@pytest.mark.parametrize(("arguments", "message"), [
    (["--run", "nowhere"], "holds no training run, as it has no settings.json: name"),
    (["--model", "nothing"], "unknown model"),
    (["-o", "."], "it is a folder"), (["-o", "photo.png"], "a page is HTML"),
    (["--sampler", "eulre"], "did you mean euler"), (["--steps", "5000"], "use 1 to"),
    (["--lora", "gone.safetensors"], "gone.safetensors"), (["--width", "18"], "multiples of 4")])
def test_bad_arguments_are_one_line(model, capsys, arguments, message):
    assert main(["explain", WORDS[0], "--model", str(model), *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line and not [*Path().glob("*.html")]


@pytest.mark.parametrize("place", ["", "model"])
def test_how_a_model_was_trained_is_read_where_its_settings_are(folder, place):
    tiny_pipeline().save_pretrained(folder / "run" / "model")
    (folder / "run" / place / "settings.json").write_text('{"diffusion": {"weighting": "min_snr"}}', "utf-8")
    assert main(["explain", WORDS[0], "--model", "run/model", "-o", "page.html"]) == 0
    views = data_in(Path("page.html").read_text("utf-8"))["views"]
    assert (views["losses"]["folder"], views["losses"]["weighting"]) == (place or "run", "min_snr")
    assert views["training"]["stages"] == []  # which stand in metrics.jsonl


def test_bad_settings_of_a_run_are_one_line(model, folder, capsys):
    (folder / "settings.json").write_text('{"train_contrastive": 5}', "utf-8")
    assert main(["explain", WORDS[0], "--model", str(model), "--run", "."]) == 2
    assert "settings.json: train_contrastive is 5: use an object" in capsys.readouterr().err


def test_no_page_is_drawn_for_a_run_that_cannot_be_read(model, monkeypatch):
    monkeypatch.setattr("minidiff.explain.page.observe", lambda *_: pytest.fail("it draws first"))
    assert main(["explain", WORDS[0], "--model", str(model), "--run", "nowhere"]) == 2

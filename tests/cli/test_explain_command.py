"""`minidiff explain`: one page, named after its prompt or as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_pipeline import WORDS

from minidiff.cli import main


def test_explain_names_the_page_like_its_prompt_and_says_so(model, capsys):
    assert main(["explain", WORDS[0], "--model", str(model), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("a-red-heart-above-a-blue-square.html  (0.")
    text = Path("a-red-heart-above-a-blue-square.html").read_text("utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n") and f"--model {model} --seed 0" in text


@pytest.mark.parametrize(("arguments", "message"), [
    (["--run", "nowhere"], "holds no training run"), (["--model", "nothing"], "unknown model"),
    (["-o", "."], "it is a folder"), (["--sampler", "eulre"], "did you mean euler"), (["--steps", "5000"], "use 1 to"),
    (["--lora", "gone.safetensors"], "gone.safetensors"), (["--width", "18"], "multiples of 4")])
def test_bad_arguments_are_one_line(model, capsys, arguments, message):
    assert main(["explain", WORDS[0], "--model", str(model), *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line and not [*Path().glob("*.html")]


def test_no_page_is_drawn_for_a_run_that_cannot_be_read(model, monkeypatch):
    monkeypatch.setattr("minidiff.explain.page.observe", lambda *_: pytest.fail("it draws first"))
    assert main(["explain", WORDS[0], "--model", str(model), "--run", "nowhere"]) == 2

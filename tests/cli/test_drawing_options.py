"""The options of commands that draw: `explain` draws what `generate` draws, and says the command that does it again."""

from __future__ import annotations

import base64
import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from explained_page import data_in
from lora_files import learned, of_diffusers
from PIL import Image
from safetensors.numpy import save_file
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff.cli import main, parser
from minidiff.cli.drawing import sampling, written
from minidiff.explain import header, page

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
OPTIONS = ["--seed", "5", "--steps", "2", "--guidance", "2.5", "--negative=-a star", "--sampler", "euler",
           "--height", "20", "--width", "24"]


@pytest.fixture
def only_the_header(monkeypatch):
    monkeypatch.setattr(page, "DRAWN", (header,))


def test_explain_draws_the_image_of_generate_and_its_command_writes_the_page_again(model, only_the_header):
    save_file(of_diffusers(learned(tiny_pipeline(), [LAYER])), "style.safetensors")
    asked = [WORDS[0], "--model", str(model), "--lora", "style.safetensors:0.5", *OPTIONS]
    assert main(["generate", *asked, "-o", "drawn.png"]) == 0
    assert main(["explain", *asked, "-o", "page.html"]) == 0
    view = data_in(Path("page.html").read_text("utf-8"))["views"]["header"]
    shown = Image.open(io.BytesIO(base64.b64decode(view["image"].partition(",")[2])))
    assert np.abs(np.asarray(shown, int) - np.asarray(Image.open("drawn.png"), int)).max() <= 1
    assert (view["steps"], view["guidance"], view["negative"], view["sampler"]) == (2, 2.5, "-a star", "euler")
    name, *words = shlex.split(view["command"])
    assert name == "minidiff" and main([*words, "-o", "again.html"]) == 0
    assert Path("again.html").read_text("utf-8") == Path("page.html").read_text("utf-8")


@pytest.mark.parametrize("prompt", ["a 'red' heart; rm *", "-a star", "--", ""])
def test_a_written_command_means_what_was_asked(prompt):
    others = ["--lora", "a:b.safetensors", "--tokenizer", "words"]
    asked = parser().parse_args(["explain", *OPTIONS, *others, "--", prompt])
    again = parser().parse_args(shlex.split(written("explain", asked, ("--run", None)))[1:])
    assert vars(again) == vars(asked)
    assert sampling(again)["num_inference_steps"] == 2 and sampling(again)["negative_prompt"] == "-a star"


def test_the_run_that_a_model_or_a_lora_lies_in_is_found(model, only_the_header, monkeypatch):
    seen = []
    monkeypatch.setattr("minidiff.explain.training.view", lambda about: seen.append(about.folder and about.folder.name))
    for path in ("run/model", "elsewhere/model", "run/other"):
        tiny_pipeline().save_pretrained(path)
        Path("run/settings.json").write_text("{}", encoding="utf-8")
        assert main(["explain", WORDS[0], "--model", path, "-o", "page.html"]) == 0
    save_file(of_diffusers(learned(tiny_pipeline(), [LAYER])), "run/lora.safetensors")
    assert main(["explain", WORDS[0], "--model", str(model), "--lora", "run/lora.safetensors", "-o", "page.html"]) == 0
    assert main(["explain", WORDS[0], "--model", str(model), "--lora", "run", "-o", "page.html"]) == 0
    monkeypatch.chdir("run")
    assert main(["explain", WORDS[0], "--model", "other", "--run", ".", "-o", "page.html"]) == 0
    assert seen == ["run", None, None, "run", "run", "run"]


@pytest.mark.parametrize("command", ["generate x --model", "explain x --model", "evaluate"])
def test_what_a_model_that_was_trained_to_inpaint_draws_with_is_told_in_options(command, capsys):
    tiny_pipeline(channels=9).save_pretrained("inpainting")
    assert main([*command.split(), "inpainting"]) == 2
    assert "minidiff generate --init-image FILE --mask FILE" in capsys.readouterr().err

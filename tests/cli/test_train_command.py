"""`minidiff train`: a run from nothing to a model, stopped and resumed, and its settings."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import warnings
from pathlib import Path

import pytest
from image_checks import read_pixels
from tiny_pipeline import WORDS

from minidiff.cli import main, train
from minidiff.training.presets import Settings, setting_names
from minidiff.training.run import Run

SMALLEST = """--size 16 --autoencoder.block_out_channels 8,8 --text.vocab_size 600 --text.max_length 40
    --text.hidden_size 8 --text.num_hidden_layers 1 --text.num_attention_heads 2 --image.hidden_size 8
    --image.num_hidden_layers 1 --image.num_attention_heads 2 --unet.block_out_channels 8,8
    --unet.attention_levels false,true --unet.norm_num_groups 4 --diffusion.latents 32
    --diffusion.num_inference_steps 2 --train_autoencoder.steps 40 --train_autoencoder.batch_size 2
    --train_contrastive.steps 20 --train_contrastive.batch_size 4 --train_diffusion.steps 40
    --train_diffusion.batch_size 2 --threads 1""".split()


def test_a_dry_run_prints_all_settings_with_those_that_were_changed(capsys):
    assert main(["train", "--preset", "tiny", "--dry-run", "--train_diffusion.batch_size", "7",
                 "--unet.block_out_channels", "8,16", "--unet.attention_levels", "false,true"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["train_diffusion"]["batch_size"] == 7
    assert settings["unet"]["block_out_channels"] == [8, 16]
    assert settings["unet"]["attention_levels"] == [False, True]
    assert sum(len(value) if isinstance(value, dict) else 1 for value in settings.values()) == len(setting_names())
    assert not list(Path().glob("runs"))


def test_a_dry_run_of_a_run_that_goes_on_prints_its_own_settings(capsys):
    Run(Path("my run"), Settings(size=32, seed=7))
    assert main(["train", "--resume", "--out", "my run", "--dry-run", "--train_diffusion.steps", "99"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert (settings["size"], settings["seed"], settings["train_diffusion"]["steps"]) == (32, 7, 99)


def test_an_unknown_stage_is_refused_before_anything_is_written(capsys):
    for options in ([], ["--dry-run"], ["--from", "scenes", "--lora", "2"]):
        assert main(["train", "--stage", "cooking", "--out", "new", *options]) == 2
        assert "unknown stage 'cooking'" in capsys.readouterr().err
        assert not Path("new").exists()


def test_a_run_from_a_model_has_its_sizes_and_what_else_is_asked_for(capsys):
    assert main(["train", "--from", "scenes", "--dry-run", "--diffusion.caption_dropout", "0.2"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["unet"]["block_out_channels"] == [32, 64, 128]
    assert settings["diffusion"]["prediction"] == "flow_prediction"
    assert settings["diffusion"]["caption_dropout"] == 0.2


@pytest.mark.parametrize(("words", "latents"), [
    (["--train_lora.steps", "50"], 50 * 32), ([], 24_000), (["--minutes", "5"], 24_000),
    (["--train_lora.accumulation", "2", "--train_lora.steps", "9", "--train_lora.batch_size", "3"], 54),
    (["--train_lora.steps", "50", "--diffusion.latents", "9999"], 9999)])
def test_a_lora_encodes_no_more_scenes_than_it_will_draw_from_them(words, latents, capsys):
    assert main(["train", "--from", "scenes", "--lora", "2", "--dry-run", *words]) == 0
    assert json.loads(capsys.readouterr().out)["diffusion"]["latents"] == latents


@pytest.mark.usefixtures("ctrl_c_works")
def test_training_from_nothing_stops_at_ctrl_c_resumes_and_ends_with_a_model_that_draws(capsys, monkeypatch):
    monkeypatch.setattr(train, "FINAL_COUNT", 2)
    draw = train.write_samples

    def press_ctrl_c(run, now, drawn):
        draw(run, now, drawn)
        if (now.stage, now.step) == ("diffusion", 20):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "write_samples", press_ctrl_c)
    assert main(["train", "--out", "run", *SMALLEST]) == 130
    assert ("minidiff: stopped: diffusion at step 20 of 40; resume with: minidiff train --resume --out run\n"
            in capsys.readouterr().err)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not Path("run/model").exists()

    assert main(["train", "--out", "run", *SMALLEST]) == 2
    assert "--resume" in capsys.readouterr().err
    monkeypatch.setattr(train, "write_samples", draw)
    assert main(["train", "--out", "run", "--resume", "--threads", "1"]) == 0
    assert "diffusion at step" not in capsys.readouterr().err

    records = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [(one["stage"], one["step"]) for one in records if one["stage"] != "latents"] == [
        ("autoencoder", 20), ("autoencoder", 40), ("contrastive", 20), ("diffusion", 20), ("diffusion", 40)]
    assert sorted(path.name for path in Path("run/samples").iterdir()) == [
        f"{stage}-{step:08}.png" for stage in ("autoencoder", "diffusion") for step in (20, 40)]
    report = Path("run/report.md").read_text(encoding="utf-8")
    assert "| diffusion | 40 |" in report
    assert "samples/diffusion-00000040.png" in report
    assert json.loads(Path("run/scores.json").read_text())["seen"] in (0, 0.5, 1)
    assert main(["generate", WORDS[0], "--model", "run/model", "-o", "drawn.png"]) == 0
    assert read_pixels("drawn.png").shape == (16, 16, 3)

    assert main(["train", "--out", "more", "--from", "run/model", "--train_diffusion.steps", "20",
                 "--train_diffusion.batch_size", "2", "--diffusion.latents", "32", "--threads", "1"]) == 0
    assert "| diffusion | 20 |" in Path("more/report.md").read_text(encoding="utf-8")
    assert Path("more/model/model_index.json").is_file()


def test_a_stage_can_be_trained_alone_and_longer(capsys):
    assert main(["train", "--out", "run", *SMALLEST, "--stage", "tokenizer", "autoencoder"]) == 0
    assert sorted(path.name for path in Path("run/checkpoints").iterdir()) == ["autoencoder"]
    assert not Path("run/report.md").exists()
    resume = ["train", "--out", "run", "--resume", "--threads", "1", "--stage"]
    assert main([*resume, "autoencoder", "--train_autoencoder.steps", "60"]) == 0
    steps = [json.loads(line)["step"] for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert steps == [20, 40, 60]
    assert main([*resume, "latents"]) == 0
    assert Path("run/latents.safetensors").is_file()
    capsys.readouterr()
    assert main([*resume, "autoencoder", "--train_autoencoder.steps", "80"]) == 2
    assert "latents.safetensors was made with the autoencoder stage as it is" in capsys.readouterr().err
    assert main([*resume, "contrastive", "--train_contrastive.steps", "0"]) == 2
    assert "train_contrastive.steps is 0: use a whole number from 1" in capsys.readouterr().err


def test_losses_are_also_written_as_event_files(capsys, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorboardX")
    train_autoencoder = ["train", *SMALLEST, "--stage", "tokenizer", "autoencoder", "--tensorboard", "--out"]
    assert main([*train_autoencoder, "run"]) == 0
    [file] = Path("run/events").iterdir()
    assert b"autoencoder/held_out" in file.read_bytes()
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main([*train_autoencoder, "other"]) == 2
    assert "pip install minidiff[tensorboard]" in capsys.readouterr().err
    assert not Path("other/settings.json").exists()


def test_a_lora_is_trained_from_a_model_scored_and_drawn_with(model, capsys, monkeypatch):
    monkeypatch.setattr(train, "FINAL_COUNT", 2)
    assert main(["train", "--out", "run", "--lora", "2", "--from", str(model), "--train_lora.steps", "20",
                 "--train_lora.batch_size", "2", "--diffusion.latents", "8", "--threads", "1"]) == 0
    learned, tried = capsys.readouterr().out.splitlines()
    assert learned.startswith(f"{model} with run/lora.safetensors draws 0.00 of seen and 0.00 of held-out prompts ")
    assert tried.startswith(f"try it: minidiff generate --model {model} --lora run/lora.safetensors ")
    assert [path.name for path in Path("run/samples").iterdir()] == ["lora-00000020.png"]
    report = Path("run/report.md").read_text(encoding="utf-8")
    assert "| lora | 20 |" in report and "| **all** | **0.00** | **0.00** |" in report
    assert "![lora](samples/lora-00000020.png)" in report and "contrastive" not in report  # the model has none
    assert json.loads(Path("run/scores.json").read_text())["settings"]["count"] == 2
    assert main([*shlex.split(tried)[3:], "-o", "drawn.png"]) == 0
    assert read_pixels("drawn.png").shape == (16, 16, 3)
    Path("run/scores.json").unlink()
    assert main(["train", "--out", "run", "--resume", "--train_lora.steps", "40", "--threads", "1",
                 "--no-samples"]) == 0
    assert len([*Path("run/samples").iterdir()]) == 1 and not Path("run/scores.json").exists()
    assert "There are no scores" in Path("run/report.md").read_text(encoding="utf-8")
    steps = [json.loads(line)["step"] for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert steps == [20, 40]


@pytest.mark.parametrize(("words", "message"), [
    (["--lora", "2"], "give it by --from MODEL"), (["--lora.rank", "2"], "give it by --from MODEL"),
    (["--lora", "0", "--from", "scenes"], "'0' is not a whole number of at least 1"),
    (["--resume", "--lora", "2"], "a resumed run keeps its own settings")])
def test_lora_needs_a_model_and_a_rank(words, message, capsys):
    assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err

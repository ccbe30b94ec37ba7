"""The commands on a person's own images: data check, data preview, train --data, and generate with what it learned."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from captioned_folder import captioned_folder, shaped_folder
from emoji_folder import emoji_folder
from image_checks import read_pixels
from PIL import Image

from minidiff.cli import main, train
from minidiff.data import image_cache
from minidiff.data.reading.decode import decode

SMALLEST = """--autoencoder.block_out_channels 8,8 --text.hidden_size 8 --text.num_hidden_layers 1
    --text.num_attention_heads 2 --image.hidden_size 8 --image.num_hidden_layers 1 --image.num_attention_heads 2
    --unet.block_out_channels 8,8 --unet.attention_levels false,true --unet.norm_num_groups 4
    --diffusion.num_inference_steps 2 --train_autoencoder.steps 20 --train_autoencoder.batch_size 2
    --train_contrastive.steps 4 --train_diffusion.steps 20 --train_diffusion.batch_size 2 --threads 1""".split()


@pytest.fixture
def own():
    return captioned_folder(Path("own"))


def test_a_run_on_a_folder_ends_with_a_model_that_draws(own, capsys):
    (own / "03.png").write_bytes(b"nothing")
    assert main(["train", "--data", "own", "--out", "run", *SMALLEST]) == 0
    out, err = capsys.readouterr()
    assert "24 captioned images in " in err
    assert "size 48, text.max_length 21, text.vocab_size 6" in err
    assert "1 of 24 images cannot be used: 03.png (not an image); training goes on without them" in err
    settings = json.loads(Path("run/settings.json").read_text())
    assert settings["data"]["source"] == str(own.resolve())
    assert settings["size"] == 48
    assert "try it: minidiff generate --model run/model \"a " in out
    assert "draws" not in out
    prompt = out.split('"')[1]
    assert prompt in {file.read_text().strip() for file in own.glob("*.txt")}
    report = Path("run/report.md").read_text(encoding="utf-8")
    assert "| diffusion | 20 |" in report
    assert "There are no scores" in report
    assert not Path("run/scores.json").exists()
    assert read_pixels("run/samples/diffusion-00000020.png").shape[1] == 4 * (192 + 8) + 8
    assert main(["generate", prompt, "--model", "run/model", "-o", "drawn.png"]) == 0
    assert read_pixels("drawn.png").shape == (48, 48, 3)


def test_a_run_in_buckets_ends_with_a_model_that_draws_their_shapes_and_is_scored(capsys):
    shaped_folder(Path("own"), {(128, 64): 20, (64, 64): 10, (64, 100): 30})
    assert main(["data", "check", "own", "--buckets"]) == 0
    counted = "buckets        48 x 96 (0), 48 x 80 (30), 64 x 64 (10), 80 x 48 (0), 96 x 48 (20)\n"
    assert counted in capsys.readouterr().out
    assert main(["train", "--data", "own", "--buckets", "--size", "32", "--data.held_out_fraction", "0.2", "--out",
                 "run", *SMALLEST]) == 0
    assert "; buckets 24 x 48, 24 x 40, 32 x 32, 40 x 24, 48 x 24" in capsys.readouterr().err
    assert json.loads(Path("run/settings.json").read_text())["data"]["buckets"] is True
    assert json.loads(Path("run/scores.json").read_text())["copies"]["training_images"] > 20
    draw = ["generate", "a red heart", "--model", "run/model", "-o"]
    assert main([*draw, "a.png", "--width", "40", "--height", "24"]) == 0
    assert read_pixels("a.png").shape == (24, 40, 3)
    assert main([*draw, "b.png"]) == 0
    assert read_pixels("b.png").shape == (32, 32, 3)
    capsys.readouterr()
    assert main(["evaluate", "run/model", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["settings"]["source"] == str(Path("own").resolve())
    assert scores["images"] == json.loads(Path("run/scores.json").read_text())["images"]


@pytest.mark.usefixtures("own", "ctrl_c_works")
def test_a_run_stopped_while_it_reads_its_images_is_resumed(capsys, monkeypatch):
    shown = train.shown

    def press_ctrl_c(progress):
        for now in shown(progress):
            if now.step == 5:
                signal.raise_signal(signal.SIGINT)
            yield now

    monkeypatch.setattr(train, "shown", press_ctrl_c)
    assert main(["train", "--data", "own", "--out", "run", *SMALLEST]) == 130
    assert "stopped: images at step 5 of 24; resume with" in capsys.readouterr().err
    assert not list(Path("run/data").iterdir())
    monkeypatch.setattr(train, "shown", shown)
    assert main(["train", "--resume", "--out", "run", "--stage", "tokenizer", "--threads", "1"]) == 0
    assert len(json.loads(Path("run/data/captions.json").read_text())["read"]) == 24


def test_a_dry_run_shows_the_fitted_settings_and_writes_nothing(own, capsys):
    before = sorted(Path().rglob("*"))
    assert main(["train", "--data", "own", "--preset", "tiny", "--dry-run", "--text.max_length", "30"]) == 0
    out, err = capsys.readouterr()
    settings = json.loads(out)
    assert settings["size"] == 48
    assert settings["text"]["max_length"] == 30
    assert settings["train_contrastive"]["batch_size"] == 24
    assert err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_captions_that_are_cut_off_are_counted(own, capsys):
    (own / "03.txt").write_text("word " * 500)
    assert main(["train", "--data", "own", "--preset", "tiny", "--dry-run"]) == 0
    assert "text.max_length 77 (at most 1 of 24 captions are cut off), text.vocab" in capsys.readouterr().err


def test_a_run_whose_folder_has_changed_says_that_it_goes_on_with_its_own_copy(own, capsys):
    command = ["train", "--out", "run", "--stage", "tokenizer", *SMALLEST[-2:]]
    assert main([*command, "--data", "own"]) == 0
    shutil.copy(own / "07.png", own / "a cat.png")
    (own / "a cat.txt").write_text("a cat")
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    assert "own has changed since this run read it (a cat.png): the run goes on with its own copy of" in (
        capsys.readouterr().err)


def test_check_names_all_that_cannot_be_used_and_counts_folders(own, capsys):
    for part in ("test", "train"):
        captioned_folder(own / part)
    for i in range(11):
        (own / f"{i:02}.png").write_bytes(b"nothing")
    assert main(["data", "check", "own"]) == 0
    out = capsys.readouterr().out
    assert "folders        test (24), train (24)\n" in out
    assert out.count(": not an image") == 11
    for file in own.rglob("*.txt"):
        file.unlink()
    (own / "11.txt").write_text("a cat")
    assert main(["data", "check", "own"]) == 2
    assert capsys.readouterr().err == "minidiff: error: 71 of 72 images cannot be used: mend or remove them\n"


def test_check_says_what_is_there_and_what_cannot_be_used(own, capsys):
    (own / "02.png").write_bytes(b"nothing")
    (own / "05.txt").unlink()
    shutil.copy(own / "07.png", own / "again.png")
    shutil.copy(own / "07.txt", own / "again.txt")
    Image.new("L", (100, 80)).save(own / "08.png")
    assert main(["data", "check", "own"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "images 23 sizes 48 x 64 to 100 x 80, by the shorter side; median 48 x 64 modes RGB (22), L (1)" in words
    assert "captions 22 different; 3 to 12 words, median 8; such as: a green triangle left of" in words
    assert "duplicates 1 07.png = again.png unusable 2: mend or remove them" in words
    assert "02.png: not an image" in words
    assert "05.png: " in words
    assert words.endswith("to train on them: minidiff train --data own")


@pytest.mark.parametrize("spoil, message", [
    (lambda own: [file.write_text("a cat") for file in own.glob("*.txt")], "at least two different captions"),
    (lambda own: [file.write_bytes(b"x") for file in own.glob("1*.png")] + [file.unlink() for file in
                                                                          own.glob("0*.txt")], "cannot be used"),
    (lambda own: [file.unlink() for file in own.glob("*")], "no images in")])
def test_what_cannot_be_trained_on_is_refused_by_check_and_train(own, capsys, spoil, message):
    spoil(own)
    assert main(["data", "check", "own"]) == 2
    assert message in capsys.readouterr().err
    assert main(["train", "--data", "own", "--out", "run", *SMALLEST]) == 2
    assert message in capsys.readouterr().err


def test_preview_shows_a_folder_too(own, capsys):
    (own / "02.png").write_bytes(b"nothing")
    assert main(["data", "preview", "own", "--count", "30", "--size", "32", "-o", "own.png"]) == 0
    assert read_pixels("own.png").shape[1] == 5 * (160 + 8) + 8
    for file in own.glob("*.png"):
        file.write_bytes(b"nothing")
    assert main(["data", "preview", "own", "-o", "none.png"]) == 2
    assert "no image of own can be shown at 64 pixels, such as 00.png (not an image): " in capsys.readouterr().err
    assert not Path("none.png").exists()


def test_preview_shows_small_images_at_the_size_that_training_chooses(capsys):
    np.savez("digits.npz", images=np.zeros((4, 16, 16), np.uint8), labels=np.arange(4))
    assert main(["data", "preview", "digits.npz", "-o", "digits.png"]) == 0
    assert read_pixels("digits.png").shape[1] == 2 * (160 + 8) + 8
    assert main(["data", "preview", "digits.npz", "--size", "33"]) == 2
    assert "(too small: 16 x 16 pixels, at least 17 needed): give another --size" in capsys.readouterr().err


def test_the_command_that_check_prints_is_one_for_a_shell(own, capsys):
    own.rename("my cat's; photos")
    assert main(["data", "check", "my cat's; photos"]) == 0
    command = capsys.readouterr().out.rpartition("to train on them: ")[2]
    assert shlex.split(command) == ["minidiff", "train", "--data", "my cat's; photos"]


def test_the_command_that_check_prints_reads_the_same_captions(own, capsys):
    rows = [{"file_name": file.name, "-in my words": f"image {file.stem}"} for file in own.glob("*.png")]
    (own / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ["--caption-column=-in my words", "--caption-template", "$HOME, a {}", "--buckets"]
    assert main(["data", "check", "own", *options]) == 0
    [program, *words] = shlex.split(capsys.readouterr().out.rpartition("to train on them: ")[2])
    assert (program, main([*words, "--dry-run"])) == ("minidiff", 0)
    settings = json.loads(capsys.readouterr().out)["data"]
    assert (settings["caption_column"], settings["caption_template"]) == ("-in my words", "$HOME, a {}")
    assert settings["buckets"]


@pytest.mark.parametrize("command", ["check ~/own", "preview ~/own", "preview emoji:~/set/emoji"])
def test_a_tilde_is_the_home_of_a_person_as_it_is_to_train(own, monkeypatch, command):
    emoji_folder(Path("set"))
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(Path.cwd()))
    assert main(["data", *command.split()]) == 0


def test_preview_decodes_no_more_than_it_shows(own, monkeypatch):
    decoded = []
    monkeypatch.setattr(image_cache, "AHEAD", 4)
    monkeypatch.setattr(image_cache, "decode", lambda *args: decoded.append(args) or decode(*args))
    assert main(["data", "preview", "own", "--count", "4", "--size", "32", "-o", "own.png"]) == 0
    assert len(decoded) == 4


def test_help_has_a_sentence_for_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("usage: minidiff train [options] [--SETTING VALUE ...]")
    assert "--data.crop VALUE part of an image that is trained on: center, or random, another one each time " in text
    assert "one of center, random" in text
    assert "--train_contrastive.steps VALUE updates of the parameters (default: 2300)" in text

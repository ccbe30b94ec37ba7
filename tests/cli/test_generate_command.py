"""The command line: what it writes, and that bad input is one line and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import SIDE, WORDS, tiny_pipeline

import minidiff
from minidiff.cli import main, train
from minidiff.cli.generate import file_name
from minidiff.cli.options import check_writable
from minidiff.data.batches import evaluation_scenes
from minidiff.errors import UserError
from minidiff.evaluation import judged
from minidiff.report.images import grid, wrapped
from minidiff.training.presets import setting_names

PROMPT = WORDS[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test runs in a folder of its own, with two images and a text in it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save("photo.png")
    Image.fromarray(np.repeat(np.uint8([0, 255]), SIDE // 2)[None].repeat(SIDE, axis=0)).save("mask.png")
    Path("text.txt").write_text("a red heart\nno image\n", encoding="utf-8")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_generate_names_the_image_like_its_prompt_and_says_so(model, capsys):
    assert main(["generate", PROMPT, "--model", str(model)]) == 0
    assert capsys.readouterr().out.startswith("a-red-heart-above-a-blue-square.png  (")
    [image] = tiny_pipeline()(PROMPT)
    difference = np.abs(pixels("a-red-heart-above-a-blue-square.png") - np.asarray(image).astype(int))
    assert difference.max() <= 3  # the files are float16


def test_several_prompts_and_images_make_a_grid_and_single_files(model, capsys):
    assert main(["generate", PROMPT, "a green star", "--num", "2", "--seed", "7", "--model", str(model),
                 "-o", "new/all.png"]) == 0
    assert sorted(path.name for path in Path("new").iterdir()) == [f"all-{i}.png" for i in (1, 2, 3, 4)] + ["all.png"]
    assert "new/all.png, all-1.png to all-4.png" in capsys.readouterr().out
    assert min(pixels("new/all.png").shape[:2]) > 2 * 160
    assert main(["generate", "a green star", "--seed", "8", "--model", str(model), "-o", "one.png"]) == 0
    assert np.abs(pixels("one.png") - pixels("new/all-4.png")).max() <= 1


@pytest.mark.parametrize("options", [
    ["--steps", "7"], ["--guidance", "20"], ["--sampler", "ddim", "--steps", "4"], ["--seed", "1"],
    ["--negative", "a blue square", "--guidance", "20"], ["--init-image", "photo.png"],
    ["--init-image", "photo.png", "--mask", "mask.png"], ["--init-image", "photo.png", "--strength", "0.4"],
], ids=" ".join)
def test_every_option_of_generate_matters(model, options):
    assert main(["generate", PROMPT, "--model", str(model), "--device", "cpu", "-o", "plain.png"]) == 0
    assert main(["generate", PROMPT, "--model", str(model), "-o", "other.png", *options]) == 0
    assert np.abs(pixels("plain.png") - pixels("other.png")).max() > 1


def test_generate_draws_other_sizes_and_writes_other_formats(model):
    assert main(["generate", PROMPT, "--model", str(model), "--height", "8", "--width", "24", "-o", "a.JPG"]) == 0
    with Image.open("a.JPG") as image:
        assert (image.size, image.format) == ((24, 8), "JPEG")


def test_the_mask_says_what_is_painted_anew(model):
    assert main(["generate", PROMPT, "--model", str(model), "--init-image", "photo.png", "--mask", "mask.png",
                 "-o", "painted.png"]) == 0
    changed = np.abs(pixels("painted.png") - pixels("photo.png")).max(axis=2) > 0
    assert not changed[:, : SIDE // 2].any()
    assert changed[:, SIDE // 2:].any()


def test_a_prompt_too_long_gets_one_line_of_warning(model, capsys):
    assert main(["generate", "red " * 20, "--model", str(model), "-o", "a.png"]) == 0
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("minidiff: warning: the last ")


@pytest.mark.parametrize(("prompt", "name"), [
    ("A red heart!", "a-red-heart.png"), ("", "image.png"), ("../x/y", "x-y.png"), ("ein rötlicher Stern",
    "ein-rötlicher-stern.png"), ("word " * 40, "-".join(["word"] * 16) + ".png"), ("?!", "image.png")])
def test_a_file_name_is_made_of_a_prompts_words(prompt, name):
    assert file_name(prompt) == name


@pytest.mark.parametrize(("arguments", "message"), [
    ("", "required: COMMAND"),
    ("paint", "invalid choice: 'paint'"),
    ("generate", "required: prompt"),
    ("generate x --model nothing", "unknown model 'nothing'"),
    ("generate x --model photo.png", "is not a model"),
    ("generate x --model MODEL --sampler eulre", "did you mean euler"),
    ("generate x --model MODEL --device gpu", "unknown device 'gpu'"),
    ("generate x --model MODEL --num 0", "--num: '0' is not a whole number from 1 on"),
    ("generate x --model MODEL --num many", "--num: 'many' is not a whole number from 1 on"),
    ("generate x --model MODEL --seed -1", "--seed"),
    ("generate x --model MODEL --seed 1.5", "--seed: '1.5'"),
    ("generate x --model MODEL --seed 99999999999999999999", "seed 99999999999999999999"),
    ("generate x --model MODEL --steps 0", "--steps: '0'"),
    ("generate x --model MODEL --steps 5000", "5000 steps: use 1 to 999"),
    ("generate x --model MODEL --guidance much", "--guidance: invalid float value"),
    ("generate x --model MODEL --guidance nan", "guidance nan"),
    ("generate x --model MODEL --height 18", "multiples of 4"),
    ("generate x --model MODEL --width 0", "--width: '0'"),
    ("generate x --model MODEL --strength 0.5", "--strength needs an image"),
    ("generate x --model MODEL --mask mask.png", "--mask needs an image"),
    ("generate x --model MODEL --init-image photo.png --strength 2", "strength 2.0"),
    ("generate x --model MODEL --init-image gone.png", "cannot read gone.png: No such file"),
    ("generate x --model MODEL --init-image text.txt", "cannot read text.txt: no image"),
    ("generate x --model MODEL --init-image photo.png --mask text.txt", "cannot read text.txt: no image"),
    ("generate x --model MODEL -o photo.png/x.png", "cannot write into photo.png"),
    ("generate x --model MODEL -o /proc/x.png", "cannot write into /proc"),
    ("generate x --model MODEL -o .", "it is a folder"),
    ("generate x --model MODEL -o x.txt", ".txt is no kind of image"),
    ("generate x --model MODEL -o x", "no ending is no kind of image"),
    ("evaluate nothing", "unknown model"),
    ("evaluate MODEL --count 0", "--count: '0'"),
    ("info nothing", "unknown model"),
    ("data preview -o photo.png/x.png", "cannot write into photo.png"),
    ("data preview --size 2", "--size: '2'"),
    ("tokenizer train gone.txt -o new", "cannot read gone.txt"),
    ("tokenizer train photo.png -o new", "cannot read photo.png: not UTF-8"),
    ("tokenizer train text.txt -o new --vocab-size 9", "too small"),
    ("tokenizer train text.txt -o photo.png/new", "cannot write into photo.png/new"),
    ("tokenizer encode x --model nothing", "unknown model"),
    ("tokenizer decode x --model MODEL", "'x' is not a whole number"),
    ("tokenizer decode 99999 --model MODEL", "99999"),
    ("train --preset huge", "unknown preset 'huge'"),
    ("train --minutes 0", "--minutes 0.0"),
    ("train --minutes nan", "--minutes nan"),
    ("train --stage cooking --out new", "unknown stage 'cooking'"),
    ("train --resume --out new", "holds no training run"),
    ("train --resume --out new --size 32", "keeps its own settings"),
    ("train --resume --out new --from scenes", "keeps its own settings"),
    ("train --from gone --out new", "unknown model 'gone'"),
    ("train --from scenes --size 32 --out new", "sample_size = 32 cannot begin from a model with 64"),
    ("train --unet.layers_per_block many --out new", "'many' is no int"),
    ("train --out photo.png", "cannot write into photo.png"),
    ("train --device tpu --out new", "unknown device 'tpu'"),
])
def test_bad_input_is_one_line_and_exit_code_2(model, capsys, arguments, message):
    before = sorted(Path().rglob("*.png"))
    assert main([word.replace("MODEL", str(model)) for word in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("minidiff: error: ")
    assert message in err
    assert sorted(Path().rglob("*.png")) == before


@pytest.mark.parametrize(("name", "damage"), [
    ("unet/diffusion_pytorch_model.safetensors", None), ("vae/diffusion_pytorch_model.safetensors", 1000),
    ("text_encoder/model.safetensors", 4), ("unet/config.json", 10), ("model_index.json", 10),
    ("scheduler/scheduler_config.json", None), ("tokenizer/vocab.json", 100)])
def test_a_missing_or_truncated_file_of_a_model_is_one_line(model, capsys, name, damage):
    shutil.copytree(model, "broken")
    path = Path("broken") / name
    content = path.read_bytes()
    path.unlink()
    if damage is not None:
        path.write_bytes(content[:damage])
    assert main(["generate", "x", "--model", "./broken"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("minidiff: error: ")
    assert "broken" in err
    assert not list(Path().glob("x*.png"))


def test_an_output_that_is_write_protected_is_refused(monkeypatch):
    Path("old.png").touch()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everything
    with pytest.raises(UserError, match="write-protected"):
        check_writable(Path("old.png"))


def test_too_little_memory_is_one_line(model, capsys, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("minidiff.pipeline.Pipeline._decode", full)
    assert main(["generate", "x", "--model", str(model)]) == 2
    assert capsys.readouterr().err == "minidiff: error: not enough memory: ask for fewer or smaller images, " \
                                      "or a smaller model\n"


def test_evaluate_prints_scores_and_json(model, capsys):
    assert main(["evaluate", str(model), "--count", "2", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {"seen", "held_out", "by_kind", "by_attribute", "judge", "psnr", "retrieval", "word_order"} <= scores.keys()
    assert main(["evaluate", str(model), "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seen", str(scores["seen"])]


def test_evaluate_draws_a_sheet_of_what_is_wrong(model, tmp_path, capsys, monkeypatch):
    sheet, none = tmp_path / "new" / "wrong.png", tmp_path / "none.png"
    assert main(["evaluate", str(model), "--count", "2", "--json", "--failures", str(sheet)]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["seen"] == scores["held_out"] == 0  # four images of an untrained model, so two columns
    with Image.open(sheet) as image:
        assert image.width == grid([Image.new("RGB", (SIDE, SIDE))] * 4, [""] * 4).width
    scenes = evaluation_scenes(2)
    right = judged(scenes, [scene.image() for scene in scenes])
    monkeypatch.setattr("minidiff.evaluation.evaluate", lambda *args: {"seen": len(list(args[-1](right, total=2)))})
    assert main(["evaluate", str(model), "--failures", str(none)]) == 0
    assert capsys.readouterr() == ("seen                           2\n",
                                   f"minidiff: note: {none} is not written: no image is wrong\n")
    assert not none.exists()
    assert main(["evaluate", str(model), "--failures", str(tmp_path / "wrong.xyz")]) == 2
    assert "use .png" in capsys.readouterr().err


def test_info_tells_parts_sizes_scheduler_and_scores(model, capsys):
    assert main(["info", str(model)]) == 0
    out = capsys.readouterr().out
    pipe = tiny_pipeline()
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        assert f"{sum(p.value.size for p in part.parameters()):,} parameters" in out
    assert "DPMSolverMultistepScheduler" in out
    assert "16 x 16" in out
    assert "0.875" not in out
    shutil.copytree(model, "scored")
    Path("scored/scores.json").write_text('{"seen": 0.875}', encoding="utf-8")
    assert main(["info", "./scored"]) == 0
    assert "0.875" in capsys.readouterr().out


def test_data_preview_writes_a_grid():
    assert main(["data", "preview", "--count", "3", "--seed", "5", "-o", "look.png"]) == 0
    assert main(["data", "preview", "--count", "3", "--seed", "6"]) == 0
    look, other = pixels("look.png"), pixels("preview.png")
    assert look.shape[1] == 2 * (192 + 8) + 8
    assert (look[8:200, 8:200] != other[8:200, 8:200]).any()


def test_the_tokenizer_learns_encodes_and_decodes(capsys):
    assert main(["tokenizer", "train", "text.txt", "--vocab-size", "520", "-o", "words"]) == 0
    assert "520 tokens from 2 captions" in capsys.readouterr().out
    assert main(["tokenizer", "encode", "A red  image", "--model", "words", "--tokens"]) == 0
    ids, tokens = capsys.readouterr().out.splitlines()
    assert len(ids.split()) == len(tokens.split())
    assert main(["tokenizer", "decode", *ids.split(), "--model", "words"]) == 0
    assert capsys.readouterr().out == "a red image\n"


def test_a_dry_run_prints_all_settings_with_those_that_were_changed(capsys):
    assert main(["train", "--preset", "tiny", "--dry-run", "--train_diffusion.batch_size", "7",
                 "--unet.block_out_channels", "8,16", "--unet.attention_levels", "false,true"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["train_diffusion"]["batch_size"] == 7
    assert settings["unet"]["block_out_channels"] == [8, 16]
    assert settings["unet"]["attention_levels"] == [False, True]
    assert sum(len(value) if isinstance(value, dict) else 1 for value in settings.values()) == len(setting_names())
    assert not list(Path().glob("runs"))


def test_a_run_from_a_model_has_its_sizes_and_what_else_is_asked_for(capsys):
    assert main(["train", "--from", "scenes", "--dry-run", "--diffusion.caption_dropout", "0.2"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["unet"]["block_out_channels"] == [32, 64, 128]
    assert settings["diffusion"]["prediction"] == "v_prediction"
    assert settings["diffusion"]["caption_dropout"] == 0.2


SMALLEST = """--size 16 --autoencoder.block_out_channels 8,8 --text.vocab_size 600 --text.max_length 40
    --text.hidden_size 8 --text.num_hidden_layers 1 --text.num_attention_heads 2 --image.hidden_size 8
    --image.num_hidden_layers 1 --image.num_attention_heads 2 --unet.block_out_channels 8,8
    --unet.attention_levels false,true --unet.norm_num_groups 4 --diffusion.latents 32
    --diffusion.num_inference_steps 2 --train_autoencoder.steps 40 --train_autoencoder.batch_size 2
    --train_contrastive.steps 20 --train_contrastive.batch_size 4 --train_diffusion.steps 40
    --train_diffusion.batch_size 2 --threads 1""".split()


def test_training_from_nothing_stops_at_ctrl_c_resumes_and_ends_with_a_model_that_draws(capsys, monkeypatch):
    monkeypatch.setattr(train, "LAST_COUNT", 2)
    draw = train.draw_now_and_then

    def press_ctrl_c(run, now, drawn):
        draw(run, now, drawn)
        if (now.stage, now.step) == ("diffusion", 20):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "draw_now_and_then", press_ctrl_c)
    assert main(["train", "--out", "run", *SMALLEST]) == 130
    assert ("minidiff: stopped: diffusion at step 20 of 40; go on with: minidiff train --resume --out run\n"
            in capsys.readouterr().err)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not Path("run/model").exists()

    assert main(["train", "--out", "run", *SMALLEST]) == 2
    assert "--resume" in capsys.readouterr().err
    monkeypatch.setattr(train, "draw_now_and_then", draw)
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
    assert main(["generate", PROMPT, "--model", "run/model", "-o", "drawn.png"]) == 0
    assert pixels("drawn.png").shape == (16, 16, 3)

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
    assert "latents.safetensors was made from the autoencoder stage as it is" in capsys.readouterr().err
    assert main([*resume, "contrastive", "--train_contrastive.steps", "0"]) == 2
    assert "the contrastive stage of run is at step 0: give it more than 0" in capsys.readouterr().err


def test_the_commands_are_quick_to_load_and_run_as_a_module():
    def python(*arguments):
        place = os.environ | {"PYTHONPATH": str(Path(minidiff.__file__).parents[1])}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=place)

    code = "import sys, minidiff.cli; print(sorted({'numpy', 'PIL', 'tqdm', 'regex'} & set(sys.modules)))"
    assert python("-c", code).stdout == "[]\n"
    done = python("-m", "minidiff", "generate")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_grid_shows_all_images_with_their_captions_inside_the_page():
    images = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green", "blue")]
    page = np.asarray(grid(images, ["one", "two", "three " * 60], columns=2))
    for colour, place in (((255, 0, 0), (0, 0)), ((0, 128, 0), (0, 1)), ((0, 0, 255), (1, 0))):
        rows, columns = np.nonzero((page == colour).all(axis=2))
        assert len(rows) == 180 * 120
        assert (rows.min() > 100, columns.min() > 100) == place
    assert (page[:, -8:] == 255).all()
    assert (page[-4:] == 255).all()
    assert (page[130:140, 8:60] < 128).any()


def test_captions_are_wrapped_and_cut_to_their_width():
    class Mono:
        def getlength(self, text):
            return len(text)

    assert wrapped("a red heart above", Mono(), 7) == ["a red", "heart", "above"]
    assert wrapped("", Mono(), 7) == [""]
    assert wrapped("extraordinary", Mono(), 7) == ["extrao…"]
    assert wrapped("a b c d e f", Mono(), 1) == ["a", "b", "c", "…"]

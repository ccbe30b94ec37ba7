"""The command line as a whole: it loads quickly, and bad input is one line and exit code 2."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from run_python import ENVIRONMENT, run_python

from minidiff.cli import main
from minidiff.cli.options import check_writable
from minidiff.errors import UserError


@pytest.mark.parametrize(("arguments", "message"), [
    ("", "required: COMMAND"),
    ("paint", "invalid choice: 'paint'"),
    ("generate", "required: prompt"),
    ("generate x --model nothing", "unknown model 'nothing'"),
    ("generate x --model photo.png", "is not a model"),
    ("generate x --model MODEL --sampler eulre", "did you mean euler"),
    ("generate x --model MODEL --device gpu", "unknown device 'gpu'"),
    ("generate x --model MODEL --num 0", "--num: '0' is not a whole number of at least 1"),
    ("generate x --model MODEL --num many", "--num: 'many' is not a whole number of at least 1"),
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
    ("generate x --model MODEL --init-image text.txt", "cannot read text.txt: not an image"),
    ("generate x --model MODEL --init-image photo.png --mask text.txt", "cannot read text.txt: not an image"),
    ("generate x --model MODEL -o photo.png/x.png", "cannot write into photo.png"),
    ("generate x --model MODEL -o /proc/x.png", "cannot write into /proc"),
    ("generate x --model MODEL -o .", "it is a folder"),
    ("generate x --model MODEL -o x.txt", ".txt is not an image format"),
    ("generate x --model MODEL -o x", "the name has no extension"),
    ("generate x --model MODEL -o x.psd", ".psd is not an image format that can be written; use .png"),
    ("generate x --model MODEL -o x.fits", ".fits is not an image format"),
    ("generate x --model MODEL -o x.cur", ".cur is not an image format"),
    ("generate x --model MODEL -o x.xbm", ".xbm is not an image format"),
    ("generate x --model MODEL -o x.blp", ".blp is not an image format"),
    ("generate x --model MODEL -o /dev/null", "it is a device"),
    (f"generate x --model MODEL -o {'x' * 300}.png", "the name is too long"),
    ("generate x --model MODEL --mask=--", "--mask=--: -- cannot be the value of an option"),
    ("generate x --model MODEL -o--", "-o--: -- cannot be the value of an option"),
    ("generate x --model MODEL --num 3000000", "'3000000' is not a whole number of at least 1 and at most 1000"),
    ("generate x y z --model MODEL --num 500", "1500 images: draw at most 1000 at once"),
    (f"generate x --model MODEL --seed {'9' * 10**6}", "is not a whole number"),
    (f"generate x --model MODEL --sampler {'x' * 10**5}", "use one of ddpm"),
    (f"generate x --model {'m' * 10**5}", "model 'mmm"),
    ("generate x --model MODEL --height 4611686018427387904", "use at most 16384"),
    ("generate x --model MODEL --guidance 1e308", "with guidance 1e+308, is not finite"),
    ("generate x --model MODEL --init-image /dev/zero", "cannot read /dev/zero: not a file"),
    ("evaluate nothing", "unknown model"),
    ("train --data= --out new", "an empty name"),
    ("evaluate MODEL --count 0", "--count: '0'"),
    ("evaluate MODEL --count 99999999", "at most 100000"),
    ("info nothing", "unknown model"),
    ("data preview -o photo.png/x.png", "cannot write into photo.png"),
    ("data preview --size 2", "--size: '2'"),
    ("data preview --size 99999999", "at least 8 and at most 2048"),
    ("data preview --count 99999999", "at most 1000"),
    ("data preview --seed 99999999999999999999", "--seed"),
    ("data check gone", "there is no /"),
    ("data check text.txt", "text.txt is not one of"),
    ("data preview gone", "there is no /"),
    ("train --data gone --out new", "there is no /"),
    ("train --data.crop left --out new", "unknown data.crop 'left': use one of center, random"),
    ("train --resume --out new --data gone", "keeps its own settings"),
    ("tokenizer train gone.txt -o new", "cannot read gone.txt"),
    ("tokenizer train photo.png -o new", "cannot read photo.png: not UTF-8"),
    ("tokenizer train text.txt -o new --vocab-size 9", "too small"),
    ("tokenizer train text.txt -o new --max-length 5000", "at most 4096"),
    ("tokenizer train /dev/zero -o new", "cannot read /dev/zero: not a regular file"),
    ("tokenizer train text.txt -o .", "which would be lost"),
    ("tokenizer train text.txt -o photo.png/new", "cannot write into photo.png/new"),
    ("tokenizer encode x --model nothing", "unknown model"),
    ("tokenizer decode x --model MODEL", "'x' is not a whole number"),
    ("tokenizer decode 99999 --model MODEL", "99999"),
    ("train --preset huge", "unknown preset 'huge'"),
    ("train --minutes 0", "--minutes 0.0"),
    ("train --data ~nobody-of-this-name/x", "leads nowhere"),
    ("train --out a\0b", "the letter of number 0"),
    ("train --minutes nan", "--minutes nan"),
    ("train --stage cooking --out new", "unknown stage 'cooking'"),
    ("train --resume --out new", "holds no training run"),
    ("train --resume --out new --size 32", "keeps its own settings"),
    ("train --minutes 1 --train_diffusion.steps 9", "leave out --train_STAGE.steps"),
    ("train --resume --out new --minutes 1 --train_diffusion.steps 9", "leave out --train_STAGE.steps"),
    ("train --resume --out new --from scenes", "keeps its own settings"),
    ("train --from gone --out new", "unknown model 'gone'"),
    ("train --from= --out new", "is not a model"),
    ("train --from scenes --size 32 --out new", "size = 32 cannot start from a model with 64"),
    ("train --unet.layers_per_block many --out new", "layers_per_block is 'many': use a whole number from 1 to 100"),
    ("train --out photo.png", "cannot write into photo.png"),
    ("train --device tpu --out new", "unknown device 'tpu'"),
])
def test_bad_input_is_one_line_and_exit_code_2(model, capsys, arguments, message):
    before = sorted(Path().rglob("*.png"))
    assert main([word.replace("MODEL", str(model)) for word in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("minidiff: error: ")
    assert message in err and len(err) < 600
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

    monkeypatch.setattr("minidiff.pipeline.Pipeline.decode", full)
    assert main(["generate", "x", "--model", str(model)]) == 2
    assert capsys.readouterr().err == "minidiff: error: out of memory: use fewer or smaller images, " \
                                      "or a smaller model\n"


def test_the_commands_load_no_package_before_they_need_it_and_run_as_a_module():
    code = "import sys, minidiff.cli; print(sorted({'numpy', 'PIL', 'tqdm', 'regex'} & set(sys.modules)))"
    assert run_python("-c", code).stdout == "[]\n"
    done = run_python("-m", "minidiff", "generate", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


INTERRUPTED = """
import runpy, signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what runs in the background ignore it
def interrupt(name, *_):
    if name == "minidiff.cli.options":
        signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, types.SimpleNamespace(find_spec=interrupt))
"""
SCRIPT = "from minidiff.__main__ import main; sys.exit(main())"  # what an installed `minidiff` runs


@pytest.mark.parametrize("start", ["runpy.run_module('minidiff', run_name='__main__')", SCRIPT])
def test_control_c_during_imports_ends_quietly(start):
    done = run_python("-c", INTERRUPTED + start, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_installed_command_starts_like_the_module():
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["scripts"] == {"minidiff": "minidiff.__main__:main"}


def run_in_a_shell(line, **environment):
    line = line.replace("MINIDIFF", f"{sys.executable} -m minidiff")
    return subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True,
                          env=ENVIRONMENT | environment)


@pytest.mark.parametrize(("line", "code"), [
    ("MINIDIFF info ./model | head -1", 141), ("MINIDIFF generate --help | head -c 1", 141),
    ("MINIDIFF info ./model >&-", 0), ("MINIDIFF generate x --model ./model -o x.png 2>&-", 0),
    ("MINIDIFF info ./model >/dev/full", 2)])
def test_an_output_that_nobody_reads_ends_quietly(model, line, code):
    Path("model").symlink_to(model)
    done = run_in_a_shell(line)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert done.stderr.count("\n") == (code == 2)
    assert done.returncode == code or (code == 141 and done.returncode == 0)  # all fitted into the pipe


def test_an_output_of_another_encoding_gets_escapes(model):
    Path("model").symlink_to(model)
    done = run_in_a_shell("MINIDIFF generate 'ein röt' --model ./model", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ein-r\\xf6t.png  (")
    assert Path("ein-röt.png").is_file()


def test_what_a_terminal_would_obey_is_written_as_an_escape(capsys):
    assert main(["generate", "x", "--model", "\x1b[31mred"]) == 2
    assert "\\x1b[31mred" in capsys.readouterr().err

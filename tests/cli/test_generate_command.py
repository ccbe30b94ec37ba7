"""`minidiff generate`: every option, and the files that it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_checks import read_pixels
from PIL import Image
from tiny_pipeline import SIDE, WORDS, tiny_pipeline

from minidiff.cli import main
from minidiff.cli.generate import file_name

PROMPT = WORDS[0]


def test_generate_names_the_image_like_its_prompt_and_says_so(model, capsys):
    assert main(["generate", PROMPT, "--model", str(model)]) == 0
    assert capsys.readouterr().out.startswith("a-red-heart-above-a-blue-square.png  (")
    [image] = tiny_pipeline()(PROMPT)
    difference = np.abs(read_pixels("a-red-heart-above-a-blue-square.png") - np.asarray(image).astype(int))
    assert difference.max() <= 3  # the files are float16


def test_several_prompts_and_images_make_a_grid_and_single_files(model, capsys):
    assert main(["generate", PROMPT, "a green star", "--num", "2", "--seed", "7", "--model", str(model),
                 "-o", "new/all.png"]) == 0
    assert sorted(path.name for path in Path("new").iterdir()) == [f"all-{i}.png" for i in (1, 2, 3, 4)] + ["all.png"]
    assert "new/all.png, all-1.png to all-4.png" in capsys.readouterr().out
    assert min(read_pixels("new/all.png").shape[:2]) > 2 * 160
    assert main(["generate", "a green star", "--seed", "8", "--model", str(model), "-o", "one.png"]) == 0
    assert np.abs(read_pixels("one.png") - read_pixels("new/all-4.png")).max() <= 1


@pytest.mark.parametrize("options", [
    ["--steps", "7"], ["--guidance", "20"], ["--sampler", "ddim", "--steps", "4"], ["--seed", "1"],
    ["--negative", "a blue square", "--guidance", "20"], ["--init-image", "photo.png"],
    ["--init-image", "photo.png", "--mask", "mask.png"], ["--init-image", "photo.png", "--strength", "0.4"],
], ids=" ".join)
def test_every_option_of_generate_matters(model, options):
    assert main(["generate", PROMPT, "--model", str(model), "--device", "cpu", "-o", "plain.png"]) == 0
    assert main(["generate", PROMPT, "--model", str(model), "-o", "other.png", *options]) == 0
    assert np.abs(read_pixels("plain.png") - read_pixels("other.png")).max() > 1


def test_generate_draws_other_sizes_and_writes_other_formats(model):
    assert main(["generate", PROMPT, "--model", str(model), "--height", "8", "--width", "24", "-o", "a.JPG"]) == 0
    with Image.open("a.JPG") as image:
        assert (image.size, image.format) == ((24, 8), "JPEG")


@pytest.mark.parametrize(("name", "given"), [
    ("photo.png", "photo.png"), ("../{folder}/mask.png", "mask.png"), ("photo.jpg", "photo-2.jpg")])
def test_no_initial_image_and_no_mask_is_overwritten(model, folder, capsys, name, given):
    Image.open("photo.png").save("photo-2.jpg")
    before, name = Path(given).read_bytes(), name.format(folder=folder.name)
    image = given if given != "mask.png" else "photo.png"
    assert main(["generate", PROMPT, "--model", str(model), "--init-image", image, "--mask", "mask.png", "--num", "2",
                 "-o", name]) == 2
    assert f"-o {name} would overwrite {given}: choose another name" in capsys.readouterr().err
    assert Path(given).read_bytes() == before


def test_without_a_name_no_image_is_overwritten(model):
    for options in ([], ["--init-image", "image.png"], ["--num", "2"], []):
        assert main(["generate", "?", "--model", str(model), *options]) == 0
    assert sorted(path.name for path in Path().glob("image*")) == [
        "image-2.png", "image-3-1.png", "image-3-2.png", "image-3.png", "image-4.png", "image.png"]


def test_the_mask_says_what_is_painted_anew(model):
    assert main(["generate", PROMPT, "--model", str(model), "--init-image", "photo.png", "--mask", "mask.png",
                 "-o", "painted.png"]) == 0
    changed = np.abs(read_pixels("painted.png") - read_pixels("photo.png")).max(axis=2) > 0
    assert not changed[:, : SIDE // 2].any()
    assert changed[:, SIDE // 2:].any()


def test_a_prompt_that_is_too_long_gets_one_line_of_warning(model, capsys):
    assert main(["generate", "red " * 20, "--model", str(model), "-o", "a.png"]) == 0
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("minidiff: warning: 'red red ")


@pytest.mark.parametrize(("prompt", "name"), [
    ("A red heart!", "a-red-heart.png"), ("", "image.png"), ("../x/y", "x-y.png"), ("?!", "image.png"),
    ("ein rötlicher Stern", "ein-rötlicher-stern.png"), ("word " * 40, "-".join(["word"] * 16) + ".png"),
    ("\U0002070e" * 80, "\U0002070e" * 50 + ".png")])
def test_a_file_name_is_made_of_a_prompts_words(prompt, name):
    assert file_name(prompt) == name


def test_many_images_of_a_prompt_of_long_letters_have_names(model):
    assert main(["generate", "\U0002070e" * 80, "--model", str(model), "--num", "2"]) == 0
    assert sorted(len(path.name) for path in Path().glob("\U0002070e*")) == [54, 56, 56]


def test_a_full_disk_leaves_the_old_image_whole(model, monkeypatch, capsys):
    def half(image, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = Path("photo.png").read_bytes()
    monkeypatch.setattr(Image.Image, "save", half)
    assert main(["generate", PROMPT, "--model", str(model), "-o", "photo.png"]) == 2
    assert "cannot write photo.png (No space left on device)" in capsys.readouterr().err
    assert Path("photo.png").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["mask.png", "photo.png", "text.txt"]


def test_a_deep_or_transparent_mask_paints_what_its_ordinary_copy_paints(model):
    gray = np.repeat(np.uint8([0, 255]), SIDE // 2)[None].repeat(SIDE, axis=0)
    Image.fromarray(gray.astype(np.uint16) * 257).save("deep.png")
    Image.fromarray(np.stack([0 * gray, 255 - gray], -1), "LA").save("erased.png")
    for mask in ("mask", "deep", "erased"):
        assert main(["generate", PROMPT, "--model", str(model), "--init-image", "photo.png", "--mask", f"{mask}.png",
                     "-o", f"{mask}-painted.png"]) == 0
    for mask in ("deep", "erased"):
        assert np.array_equal(read_pixels(f"{mask}-painted.png"), read_pixels("mask-painted.png"))


def test_a_cpu_refuses_products_of_rounded_factors(model, capsys):
    options = ["generate", PROMPT, "--model", str(model), "--device", "cpu", "-o", "one.png"]
    assert main([*options, "--precision", "bf16"]) == 2
    assert "precision bf16 is that of products on a GPU: use float32 on a CPU" in capsys.readouterr().err
    assert not Path("one.png").exists()
    assert main([*options, "--precision", "float32"]) == 0

"""Whatever bytes the files have that are opened: a UserError, or a finite result.

Each test draws its damages at random, the same every time; MINIDIFF_HOSTILE=20000 has each draw that many.
"""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from hostile_inputs import COUNT, VALUES, as_text, damaged, load_and_draw, only_user_errors, pick, places, with_value
from ldm_layout import tiny_stable_diffusion, write_single_file
from PIL import Image
from safetensors.numpy import save_file

from minidiff.data.image_cache import ImageCache
from minidiff.data.images import as_image
from minidiff.errors import UserError
from minidiff.pipeline import Pipeline
from minidiff.storage.checkpoint import latest, save_checkpoint, save_step
from minidiff.storage.single_file import load_single_file
from minidiff.storage.tensors import map_tensors
from minidiff.training.latents import read_latents

WEIGHTS = "diffusion_pytorch_model.safetensors"
LAYER = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
LORA = {f"{LAYER}.lora_A.weight": np.ones((2, 8), np.float32), f"{LAYER}.lora_B.weight": np.ones((16, 2), np.float32)}
NOTES = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_k": 1.0}})}


def try_damages(file, rng, count, use):
    """Call `use` on many damaged versions of a file; safetensors also have other values in their headers."""
    whole = file.read_bytes()
    for _ in range(COUNT or count):
        data = with_header(rng, whole) if file.suffix == ".safetensors" and rng.random() < 0.6 else damaged(rng, whole)
        file.unlink()  # views of it may be in use
        file.write_bytes(data)
        with only_user_errors(f"{file.name} {data[:600]!r}"):
            use()
    file.unlink()
    file.write_bytes(whole)
    use()


def with_header(rng, whole):
    """The bytes of a safetensors file with another value in one place of its header, sometimes in two."""
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    for _ in range(rng.integers(1, 3)):
        paths = [*places(header)] or [("a",)]
        header = with_value(header, pick(rng, paths), pick(rng, VALUES))
    text = as_text(header).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + whole[8 + size :]


@pytest.mark.parametrize("name", [
    f"unet/{WEIGHTS}", f"vae/{WEIGHTS}", "text_encoder/model.safetensors", "clip/model.safetensors", "unet/config.json",
    "model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json"])
def test_a_damaged_model(model, name, rng):
    try_damages(model / name, rng, 60, lambda: load_and_draw(model, name))


def test_a_damaged_single_file(tmp_path, rng):
    pipe, file = tiny_stable_diffusion(1), tmp_path / "model.safetensors"
    write_single_file(pipe, 1, file)
    pipe.tokenizer.save_pretrained(tmp_path / "tokenizer")
    try_damages(file, rng, 20, lambda: load_single_file(file))


def test_a_damaged_lora(model, tmp_path, rng):
    pipe, file = Pipeline.from_pretrained(model), tmp_path / "lora.safetensors"
    save_file(LORA, file, NOTES)
    try_damages(file, rng, 150, lambda: pipe.load_lora(file))


def test_damaged_latents(tmp_path, rng):
    file = tmp_path / "latents.safetensors"
    save_checkpoint(file, {"mean": np.ones((3, 2, 2, 4), np.float16), "ids": np.ones((3, 5), np.int32)}, {})
    try_damages(file, rng, 150, lambda: read_latents(file))


def test_a_damaged_checkpoint_does_not_hide_the_good_one_before_it(tmp_path, rng):
    for step in (1, 2):
        file = save_step(tmp_path, step, {"value": np.full(3, step)}, {"step": step})

    def resume():
        _, arrays, state = latest(tmp_path)
        assert state["step"] in (1, 2) and (arrays["value"] == state["step"]).all()

    try_damages(file, rng, 300, resume)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "webp", "tiff", "ppm", "avif"])
def test_a_damaged_image(tmp_path, kind, rng):
    file = tmp_path / f"image.{kind}"
    try:
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(file)
    except (KeyError, OSError):
        pytest.skip(f"Pillow is installed without {kind}")

    def use():
        assert np.isfinite(as_image(file)).all()

    try_damages(file, rng, 40, use)


def test_a_damaged_array_file(tmp_path, rng):
    file, cache = tmp_path / "images.npz", tmp_path / "cache"
    np.savez(file, images=np.zeros((6, 16, 16, 3), np.uint8), labels=np.arange(6), names=np.array([*"abcdef"]))

    def use():
        shutil.rmtree(cache, ignore_errors=True)
        assert sum(1 for _ in ImageCache(cache, file, 16).fill()) > 0

    try_damages(file, rng, 150, use)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
@pytest.mark.parametrize("other", ["pipe", "/dev/zero", "/dev/null", "folder"])
def test_what_is_no_file_is_not_waited_for(model, other):
    for file in [file for file in model.rglob("*") if file.is_file()]:
        shutil.move(file, model / "kept")
        {"pipe": os.mkfifo, "folder": os.mkdir}.get(other, lambda file: os.symlink(other, file))(file)
        with only_user_errors(f"{other} as {file}"):
            load_and_draw(model, file.parent.name)
        file.rmdir() if file.is_dir() else file.unlink()
        shutil.move(model / "kept", file)


def test_a_header_of_lists_is_refused(tmp_path):
    """Such a header passes the library's own check."""
    text = b'{"a":["F32",[1],[0,4]]}'
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(UserError, match="missing or damaged"):
        map_tensors(tmp_path / "a")

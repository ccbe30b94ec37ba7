"""A small model, and a folder to work in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import SIDE, tiny_pipeline


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

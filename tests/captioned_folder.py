"""A folder of captioned images, made of built-in scenes that are cut to 48 x 64."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from minidiff.data.batches import evaluation_scenes


def captioned_folder(folder: Path, count: int = 24) -> Path:
    folder.mkdir()
    for i, scene in enumerate(evaluation_scenes(count, seed=9)):
        Image.fromarray(scene.image(64)[:, 8:56]).save(folder / f"{i:02}.png")
        (folder / f"{i:02}.txt").write_text(scene.caption + "\n", encoding="utf-8")
    return folder

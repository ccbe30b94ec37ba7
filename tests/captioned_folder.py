"""Folders of captioned images, made of built-in scenes that are cut to 48 x 64 or to other shapes."""

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


def shaped_folder(folder: Path, counts: dict[tuple[int, int], int]) -> Path:
    """`counts` images for each (width, height), at most 128 pixels of a side, in the order of their names."""
    folder.mkdir()
    sizes = [size for size, count in counts.items() for _ in range(count)]
    for i, (scene, (width, height)) in enumerate(zip(evaluation_scenes(len(sizes), seed=9), sizes, strict=True)):
        Image.fromarray(scene.image(128)[:height, :width]).save(folder / f"{i:02}.png")
        (folder / f"{i:02}.txt").write_text(f"{scene.caption}, number {i}", encoding="utf-8")
    return folder

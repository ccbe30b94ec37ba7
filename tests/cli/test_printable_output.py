"""What commands print of files of other people cannot steer a terminal, and is short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from minidiff.cli import main

ESCAPE = "\x1b[2J\x07"  # clears the screen and rings


@pytest.fixture
def hostile_images():
    folder = Path("images")
    for i in range(8):
        (folder / f"kind {i % 2}{ESCAPE}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (i // 2 * 30, 0, 0)).save(folder / f"kind {i % 2}{ESCAPE}" / f"{i}{ESCAPE}.png")
    (folder / f"broken{ESCAPE}.png").write_bytes(b"")
    return folder


def printed(capsys, *words):
    main(list(map(str, words)))
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07"} & {*out, *err}
    return out


def test_names_and_captions_of_images(hostile_images, capsys):
    assert r"broken\x1b[2J\x07.png: not in the folder" in printed(capsys, "data", "check", hostile_images)


def test_the_files_of_a_model(model, capsys):
    path = model / "scheduler" / "scheduler_config.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"note": ESCAPE}))
    assert r" \x1b[2J\x07" in printed(capsys, "info", model)
    path.write_text(whole)


def test_a_caption_is_shown_by_its_beginning(capsys):
    folder = Path("images")
    folder.mkdir()
    for i in range(2):
        Image.new("RGB", (64, 64), (99 * i, 0, 0)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"{i} {'word ' * 10_000}")
    assert len(printed(capsys, "data", "check", folder)) < 2000

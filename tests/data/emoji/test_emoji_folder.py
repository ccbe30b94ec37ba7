from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from emoji_folder import raw_set
from PIL import Image

from minidiff.data.emoji.folder import write_folder
from minidiff.data.reading.find import find
from minidiff.errors import UserError


def rows(folder):
    lines = (folder / "metadata.jsonl").read_text("utf-8").splitlines()
    return {row["file_name"]: row for row in map(json.loads, lines)}


def test_a_set_becomes_a_folder_of_captioned_images(tmp_path):
    images, names = raw_set(tmp_path)
    written = write_folder(images, tmp_path / "new" / "emoji", names)
    assert (written.count, written.unnamed) == (30, [])
    found = find(tmp_path / "new" / "emoji")
    assert (len(found.items), found.problems) == (30, [])
    captions = {item.name: item.caption for item in found.items}
    assert captions["1f469-1f3fb-200d-1f680.png"] == "astronaut: light skin tone"
    assert rows(tmp_path / "new" / "emoji")["1f34e.png"] == {
        "file_name": "1f34e.png", "text": "red apple", "tags": ["fruit", "crisp"], "group": "food"}
    copied = tmp_path / "new" / "emoji" / "2b50.png"
    assert copied.read_bytes() == (images / "2b50.png").read_bytes()


def test_unicode_has_names_too(tmp_path):
    images, _ = raw_set(tmp_path)
    assert write_folder(images, tmp_path / "emoji").count == 30
    names = rows(tmp_path / "emoji")
    assert names["1f433.png"]["text"] == "spouting whale"
    assert names["1f44b-1f3ff.png"] == {
        "file_name": "1f44b-1f3ff.png", "text": "waving hand sign: dark skin tone", "tags": [], "group": ""}


def test_files_without_a_name_of_their_own_are_named_and_left_out(tmp_path):
    images, names = raw_set(tmp_path)
    (images / "more").mkdir()
    for name in ("face.png", "cafe.png", "photo.jpg", "1f43f.png", "more/1F34E.webp", "1f34e-fe0f.png"):
        Image.new("RGB", (16, 16)).save(images / name)
    (images / "readme.txt").write_text("none")
    written = write_folder(images, tmp_path / "emoji", names)
    assert (written.count, written.unnamed) == (
        30, ["1f34e.png", "1f43f.png", "cafe.png", "face.png", "more/1F34E.webp", "photo.jpg"])
    assert len(list((tmp_path / "emoji").iterdir())) == 31
    assert write_folder(images, tmp_path / "again").unnamed == [
        "1f34e.png", "cafe.png", "face.png", "more/1F34E.webp", "photo.jpg"]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_a_folder_that_was_not_finished_is_not_there(tmp_path, monkeypatch, ending):
    images, names = raw_set(tmp_path)

    def copied_in_part(file, target):
        target.touch()
        raise ending

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, UserError)):
        patched.setattr(shutil, "copyfile", copied_in_part)
        write_folder(images, tmp_path / "emoji", names)
    assert {path.name for path in tmp_path.iterdir()} == {"set", "data.json"}
    assert write_folder(images, tmp_path / "emoji", names).count == 30


def test_what_is_no_set_is_refused_and_nothing_is_written(tmp_path):
    images, names = raw_set(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "photos" / "cafe.png")
    for arguments, message in (
            ((tmp_path / "nowhere", tmp_path / "emoji"), "nowhere is not a folder: give one with images named by"),
            ((tmp_path / "photos", tmp_path / "emoji"), "photos has no images named by code points, such as 1f427.png"),
            ((tmp_path / "photos", tmp_path / "emoji", names), "or emoji_u1f427.png, that .*data.json names"),
            ((images, tmp_path / "emoji", tmp_path / "set" / "2b50.png"), "is not emojibase's data.json"),
            ((images, images, names), "set exists already: remove it, or choose another folder")):
        with pytest.raises(UserError, match=message):
            write_folder(*arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"set", "data.json", "photos"}
    assert not Path("emoji").exists()

"""A model's files are read as far as they are sensible: ordinary, of a bounded size, of a bounded depth."""

from __future__ import annotations

import os

import pytest

from minidiff.errors import UserError
from minidiff.reading import LARGEST, read_json, read_text


def test_an_object_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, {"b": "é"}]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"a": [1, {"b": "é"}]}


@pytest.mark.parametrize("content, reason", [
    (b"", "Expecting value"), (b"[1]", "not a JSON object"), (b"[" * 100_000, "recursion"), (b"\xff", "utf-8"),
    (b'{"a":' * 100_000, "recursion"), (b" " * LARGEST + b"{}", "larger than 1 MB"),
    (b'{"a":' * 13 + b"1" + b"}" * 13, "more than 12 lists or objects in each other"),
    (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits")])
def test_what_is_no_such_object_is_refused_with_the_reason(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"cannot read .*a\.json \(.*{reason}.*\): get it again"):
        read_json(tmp_path / "a.json")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_json(tmp_path / "gone.json")
    with pytest.raises(UserError, match="not a regular file"):
        read_json(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_and_a_device_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/zero", tmp_path / "zero")
    for name in ("pipe", "zero"):
        with pytest.raises(UserError, match="not a regular file"):
            read_json(tmp_path / name)


def test_a_larger_file_is_read_where_it_may_be_larger(tmp_path):
    (tmp_path / "merges.txt").write_text("a b\n" * LARGEST)
    assert len(read_text(tmp_path / "merges.txt", 5 * LARGEST)) == 4 * LARGEST

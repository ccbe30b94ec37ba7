"""One process at a time holds a folder, until it lets go or ends."""

from __future__ import annotations

import os

import pytest
from run_python import HOLD, holding, run_python

from minidiff.errors import UserError
from minidiff.storage import lock
from minidiff.storage.lock import held


def test_a_folder_that_another_process_holds_is_refused_until_that_is_killed(tmp_path):
    with holding(tmp_path):
        for _ in range(2):
            with pytest.raises(UserError, match=r"another process is training in .*: wait for its end"), held(tmp_path):
                pytest.fail("it was held twice")
    with held(tmp_path):
        assert lock.HELD


def test_a_process_holds_a_folder_as_often_as_it_likes_and_then_lets_go(tmp_path):
    folder = tmp_path / "run"
    with held(folder):
        with held(folder / ".." / "run"):
            pass
        assert run_python("-c", HOLD, str(folder), check=False).returncode == 1
    assert not lock.HELD
    assert run_python("-c", HOLD, str(folder)).stdout == "held\n"


def test_a_folder_that_cannot_be_written_into_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write into .*file: .*choose another place"), held(tmp_path / "file"):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_is_not_waited_for_and_a_planted_link_not_followed(tmp_path):
    for plant in (os.mkfifo, lambda place: os.symlink(tmp_path / "planted", place)):
        plant(tmp_path / lock.LOCK_FILE)
        with pytest.raises(UserError, match="cannot write into"), held(tmp_path):
            pass
        (tmp_path / lock.LOCK_FILE).unlink()
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with held(tmp_path):
        assert (tmp_path / lock.LOCK_FILE).exists()

"""Training that is asked to stop by a signal, and training whose output nobody reads."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from run_python import holding
from test_train_command import SMALLEST

from minidiff.cli import evaluate, main, prepare_streams, train
from minidiff.cli.progress import output_may_vanish
from minidiff.cli.stopping import asked_to_stop, signals_ignored
from minidiff.storage.checkpoint import latest

TOKENIZER_AND_AUTOENCODER = ["train", "--out", "run", *SMALLEST, "--stage", "tokenizer", "autoencoder"]


@pytest.fixture
def hang_up_ends():
    """The signal HUP ends a process, also where these tests run under nohup, which has it ignored."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


@pytest.mark.skipif("sys.platform == 'win32'")
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_saves_a_checkpoint_and_stops_even_if_it_comes_twice(name, code, hang_up_ends, monkeypatch, capsys):
    def send(run, now, drawn):
        for _ in range(2):
            signal.raise_signal(getattr(signal, name))

    before = signal.getsignal(getattr(signal, name))
    monkeypatch.setattr(train, "write_samples", send)
    assert main(TOKENIZER_AND_AUTOENCODER) == code
    assert "stopped: autoencoder at step 20 of 40; resume with: minidiff train --resume" in capsys.readouterr().err
    assert latest("run/checkpoints/autoencoder")[2]["step"] == 20
    assert signal.getsignal(getattr(signal, name)) == before


@pytest.mark.skipif("sys.platform == 'win32'")
def test_a_stopped_run_with_minutes_is_resumed_with_what_is_left_of_them(monkeypatch, capsys):
    monkeypatch.setattr(train, "write_samples", lambda run, now, drawn: signal.raise_signal(signal.SIGTERM))
    without_steps = re.sub(r"--train_\w+\.steps \d+", "", " ".join(TOKENIZER_AND_AUTOENCODER)).split()
    assert main([*without_steps, "--minutes", "500"]) == 143
    assert re.search(r"--resume --out run --minutes (499\.\d|500\.0)$", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.skipif("sys.platform == 'win32'")
@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_removes_the_temporary_files_of_any_command(model, name, code, hang_up_ends, monkeypatch):
    scratch = []

    def interrupted(name_of_data, folder, size, place):
        scratch.append(place)
        signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr(evaluate, "open_data", interrupted)
    with pytest.raises(SystemExit) as error:
        main(["evaluate", str(model), "--data", "images"])
    assert error.value.code == code and not scratch[0].exists()
    assert signal.getsignal(getattr(signal, name)) == signal.SIG_DFL


@pytest.mark.skipif("sys.platform == 'win32'")
def test_a_hangup_that_is_ignored_stays_so(ctrl_c_works):
    inherited = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with asked_to_stop() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert not stop
    finally:
        signal.signal(signal.SIGHUP, inherited)


def test_a_second_ctrl_c_interrupts(ctrl_c_works, capsys):
    with asked_to_stop() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        assert stop == [signal.SIGINT]
        signal.raise_signal(signal.SIGINT)
    assert "press Ctrl-C again" in capsys.readouterr().err


def test_a_thread_that_may_handle_no_signals_trains_and_leaves_them_as_they_are(ctrl_c_works):
    def handler_when_ignored():
        with signals_ignored():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(main, TOKENIZER_AND_AUTOENCODER).result() == 0
        assert thread.submit(handler_when_ignored).result() == signal.default_int_handler


def test_training_goes_on_to_its_end_when_nobody_reads_what_it_shows(monkeypatch):
    streams = []
    for name in ("stdout", "stderr"):
        reader, writer = os.pipe()
        os.close(reader)
        streams.append(open(writer, "w", buffering=1))
        monkeypatch.setattr(sys, name, streams[-1])
    assert main(TOKENIZER_AND_AUTOENCODER) == 0
    for stream in streams:
        stream.close()
    assert latest("run/checkpoints/autoencoder")[2]["step"] == 40
    assert sorted(path.name for path in Path("run/samples").iterdir())[-1] == "autoencoder-00000040.png"


def test_output_that_is_closed_or_lacks_letters_stops_nothing(monkeypatch):
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    monkeypatch.setattr(sys, "stderr", None)
    prepare_streams()
    with sys.stderr, output_may_vanish():
        print("ein Bär")
        print("nobody", file=sys.stderr)
    plain.flush()
    assert plain.buffer.getvalue() == b"ein B\\xe4r\n"


def test_a_run_that_another_process_trains_is_left_alone(capsys):
    assert main([*TOKENIZER_AND_AUTOENCODER[:-1]]) == 0
    before = sorted(Path("run").rglob("*"))
    with holding(Path("run")):
        assert main(["train", "--resume", "--out", "run"]) == 2
    assert "minidiff: error: another process is training in " in capsys.readouterr().err
    assert sorted(Path("run").rglob("*")) == before

"""Event files hold what metrics.jsonl holds."""

from __future__ import annotations

import struct
import sys
import warnings
from unittest.mock import MagicMock

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidiff.errors import UserError
from minidiff.report.events import check_events, with_events
from minidiff.training.loop import Progress

PROGRESS = [Progress("autoencoder", 20, 40, {"loss": 0.5, "mse": 0.25}, 1e-3, 2.0, 80.0, 9.0),
            Progress("latents", 32, 32, {}, 0.0, 0.0, 160.0, 0.0),
            Progress("diffusion", 40, 40, {"loss": 0.125, "held_out": 0.75, "held_out.2-8": 1.5}, 1e-4, 0.5, 64.0, 0.0)]


def scalars(file):
    """{(tag, step): value} of an event file: records of length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found, content = {}, file.read_bytes()
    while content:
        [length] = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12:12 + length])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + length:]
    return found


def test_event_files_have_all_losses_of_each_stage_at_their_steps(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf, about its own versions
        pytest.importorskip("tensorboardX", reason="needs tensorboardX: pip install minidiff[tensorboard]")
    assert list(with_events((one for one in PROGRESS), tmp_path / "events")) == PROGRESS
    [file] = (tmp_path / "events").iterdir()
    found = scalars(file)
    expected = {(f"{one.stage}/{name}", one.step): value for one in PROGRESS for name, value in one.losses.items()}
    assert expected.keys() <= found.keys()
    assert_allclose([found[key] for key in expected], [*expected.values()], rtol=1e-6, atol=0)
    assert_allclose(found["autoencoder/learning_rate", 20], 1e-3, rtol=1e-6, atol=0)
    assert found["latents/samples_per_second", 32] == 160 and ("latents/gradient_norm", 32) not in found
    assert np.isfinite([*found.values()]).all()


def test_training_ends_where_its_progress_is_no_longer_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", MagicMock())
    ended = []

    def progress():
        try:
            yield from PROGRESS
        finally:
            ended.append(True)

    training = progress()
    events = with_events(training, tmp_path)
    next(events)
    events.close()
    assert ended == [True]


def test_without_tensorboardx_one_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"pip install minidiff\[tensorboard\]"):
        check_events()

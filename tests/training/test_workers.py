"""Worker processes: their gradients together, their number, and how they end."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from run_python import is_running, run_python
from tiny_training import SETTINGS, stages

from minidiff.data.scene_source import SceneSource
from minidiff.errors import UserError
from minidiff.nn.blas import blas
from minidiff.tokenizer import Tokenizer
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.diffusion import encode_images
from minidiff.training.flat import Flat
from minidiff.training.workers import Workers, worker_count


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_workers_together_make_the_gradient_of_one(finished, which):
    def gradient(count):
        stage = stages(finished)[which]
        flat = Flat([p for model in stage.models for p in model.parameters()])
        workers = Workers(stage, flat, count)
        workers.clear()
        losses = stage.step(workers, 1.0, *stage.draw(3))
        workers.add_gradients()
        workers.close()
        return flat.grad, losses["loss"]

    (alone, alone_loss), (split, split_loss) = gradient(1), gradient(3)
    assert np.linalg.norm(alone) > 1e-3
    assert np.linalg.norm(split - alone) < 1e-5 * np.linalg.norm(alone)
    assert_allclose(split_loss, alone_loss, rtol=1e-5, atol=0)


def test_workers_are_as_many_as_a_batch_is_worth(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert worker_count(2, "cpu", 8) == 1
    assert worker_count(64, "cpu", 3) == 3
    assert worker_count(64, "cuda", 3) == 1
    monkeypatch.setattr("sys.platform", "darwin")
    assert worker_count(64, "cpu", 3) == 1


@pytest.mark.parametrize(("count", "threads", "expected"), [(1, 1, 1), (1, 2, 2), (2, None, 1), (1, None, 3)])
def test_blas_has_as_many_threads_as_were_asked_for(count, threads, expected):
    stage = AutoencoderTraining(SETTINGS)
    with blas().limit(limits=3, user_api="blas"):
        workers = Workers(stage, Flat([*stage.model.parameters()]), count, threads)
        assert blas_threads() == expected
        workers.close()
        assert blas_threads() == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_encoding_uses_as_many_cores_as_were_asked_for(monkeypatch, threads):
    seen, tokenizer, autoencoder = set(), Tokenizer([], 16), AutoencoderTraining(SETTINGS).model
    encode = autoencoder.encode

    def spy(images):
        seen.add((threading.current_thread().name, blas_threads()))
        return encode(images)

    monkeypatch.setattr(autoencoder, "encode", spy)
    with blas().limit(limits=3, user_api="blas"):
        for _ in encode_images(SceneSource(16, 0, 96), tokenizer, autoencoder, "cpu", threads):
            pass
        assert blas_threads() == 3
    assert len(seen) <= threads and {count for _, count in seen} == {1}


def blas_threads():
    return blas().select(user_api="blas").info()[0]["num_threads"]


@pytest.fixture
def two_workers(ctrl_c_works):
    """Two workers of an autoencoder stage whose second one fails where an image is not finite."""
    stage = AutoencoderTraining(SETTINGS)
    first, learn = os.getpid(), stage.learn

    def strict(fraction, images, noise):
        if os.getpid() != first and not np.isfinite(images).all():
            raise ValueError("not an image")
        return learn(fraction, images, noise)

    stage.learn, stage.recordable = strict, False
    workers = Workers(stage, Flat(stage.model.parameters()), 2)
    yield workers
    workers.close()


def test_an_error_in_a_worker_reaches_the_caller(two_workers):
    with pytest.raises(ValueError, match="not an image"):
        two_workers.learn(1.0, np.full((2, 16, 16, 3), np.nan, np.float32), np.zeros((2, 8, 8, 12), np.float32))
    assert np.isfinite(two_workers.stage.step(two_workers, 1.0, *two_workers.stage.draw(0))["loss"])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_worker_leaves_requests_to_stop_to_the_first_process(two_workers, name):
    os.kill(two_workers.others.processes[0].pid, getattr(signal, name))
    assert np.isfinite(two_workers.stage.step(two_workers, 1.0, *two_workers.stage.draw(0))["loss"])


def test_a_worker_that_was_ended_is_told_in_one_line(two_workers):
    two_workers.others.processes[0].kill()
    with pytest.raises(UserError, match="a worker process was killed"):
        two_workers.stage.step(two_workers, 1.0, *two_workers.stage.draw(0))


def test_workers_end_with_their_training(two_workers):
    two_workers.close()
    assert not two_workers.others.processes[0].is_alive()


def test_workers_of_a_training_that_was_left_in_its_middle_end_with_the_process_and_without_a_word(tmp_path):
    ended = run_python("-c", "import sys; from pathlib import Path; from tiny_training import SETTINGS, STAGE\n"
                       "from minidiff.training import loop; from minidiff.training.autoencoder import *\n"
                       "loop.LOOK_EVERY = 1\n"
                       "progress = loop.Trainer(AutoencoderTraining(SETTINGS), STAGE, Path(sys.argv[1]), 2).train()\n"
                       "next(progress)", str(tmp_path))
    assert ended.stderr == ""


def test_a_worker_whose_first_process_was_killed_ends_without_a_word(tmp_path):
    killed = run_python("-c", "import os, signal, time; from tiny_training import SETTINGS\n"
                        "from minidiff.training.autoencoder import *; from minidiff.training.flat import Flat\n"
                        "stage = AutoencoderTraining(SETTINGS)\n"
                        "stage.learn, stage.recordable = lambda *_: time.sleep(0.3), False\n"
                        "workers = Workers(stage, Flat(stage.model.parameters()), 2)\n"
                        "workers.others.pipes[0].send(('learn', (1, None)))\n"
                        "print(workers.others.processes[0].pid, flush=True)\n"
                        "os.kill(os.getpid(), signal.SIGKILL)", check=False)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stderr == ""  # which was open until the worker ended
    deadline = time.monotonic() + 10
    while is_running(int(killed.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""Batches drawn ahead by other processes: the same ones, in whatever order they are asked for."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from run_python import is_running
from tiny_training import SETTINGS, stages

from minidiff.data.scene_source import SceneSource
from minidiff.errors import UserError
from minidiff.training import ahead
from minidiff.training.ahead import EACH, Ahead, drawers
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.diffusion import encode_images
from minidiff.training.flat import Flat
from minidiff.training.workers import Workers


def numbers(index):
    """Two arrays that depend on an index alone."""
    rng = np.random.default_rng(index)
    return rng.standard_normal((4, 3), np.float32), rng.integers(100, size=5)


def assert_same(batch, expected):
    for array, own in zip(batch, expected, strict=True):
        assert_array_equal(array, own, strict=True)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_batches_are_the_same_in_whatever_order_they_are_asked_for(count):
    drawn = Ahead(numbers, count)
    for index in (0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 4, 5, 6, 20, 0, 1):
        assert_same(drawn(index), numbers(index))
    drawn.close()


def test_batches_of_other_shapes_types_or_numbers_of_arrays_are_the_same():
    def changing(index):
        array, integers = numbers(index)
        return (array[: 4 - index % 3], integers.astype([np.int64, np.int32][index % 2]))[: 2 - (index > 8)]

    drawn = Ahead(changing, 2)
    for index in range(12):
        assert_same(drawn(index), changing(index))


def test_the_first_arrays_of_a_batch_stay_in_shared_memory(monkeypatch):
    drawn, came = Ahead(lambda index: numbers(index)[: 1 if index > 2 else 2], 1), []
    receive = ahead.Forked.receive
    monkeypatch.setattr(ahead.Forked, "receive", lambda *names: (came.append(receive(*names)), came[-1])[1])
    for index in range(6):
        assert_same(drawn(index), numbers(index)[: 1 if index > 2 else 2])
    drawn.close()
    assert [count for count, _ in came] == [2, 2, 1, 1, 1]


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_a_stage_s_batches_are_the_same(finished, which):
    stage = stages(finished)[which]
    drawn = Ahead(stage.draw, 2)
    for index in range(5, 12):
        assert_same(drawn(index), stage.draw(index))


def test_only_the_first_batch_is_drawn_by_this_process():
    here = Counter()

    def counted(index):
        here[index] += 1
        return numbers(index)

    drawn = Ahead(counted, 2)
    for index in range(5, 15):
        drawn(index)
    assert here == {5: 1}


def test_batches_are_drawn_before_they_are_asked_for():
    drawing = 0.2  # seconds

    def slow(index):
        time.sleep(drawing)
        return numbers(index)

    drawn = Ahead(slow, 2)
    drawn(0)
    time.sleep((EACH + 2) * drawing)
    begin = time.monotonic()
    for index in range(1, 2 * EACH):
        drawn(index)
    assert time.monotonic() - begin < EACH * drawing


def test_an_error_is_raised_when_its_batch_is_wanted_and_no_earlier():
    def short(index):
        if index == 4:
            raise ValueError("no such batch")
        return numbers(index)

    drawn = Ahead(short, 1)
    for index in range(4):
        drawn(index)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such batch"):
            drawn(4)
    for index in (5, 6, 7):
        assert_same(drawn(index), numbers(index))


def test_a_process_that_was_killed_is_told_in_one_line():
    drawn = Ahead(numbers, 1)
    drawn(0)
    [process] = drawn.processes.processes
    process.kill()
    with pytest.raises(UserError, match="a worker process was killed"):
        for index in range(1, 9):
            drawn(index)


def test_its_processes_end_when_it_is_closed_or_forgotten():
    for end in (Ahead.close, lambda drawn: None):
        drawn = Ahead(numbers, 2)
        drawn(0)
        pids = [process.pid for process in drawn.processes.processes]
        assert len(pids) == 2 and all(map(is_running, pids))
        end(drawn)
        del drawn
        assert not any(map(is_running, pids))


def test_a_gpu_has_its_batches_drawn_by_all_cores_but_one(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert (drawers("cpu", 8), drawers("cuda", 1), drawers("cuda", 4), drawers("cuda", 999)) == (0, 0, 3, ahead.MOST)
    monkeypatch.setattr("sys.platform", "darwin")
    assert drawers("cuda", 4) == 0


def test_workers_have_their_batches_drawn_ahead(monkeypatch):
    monkeypatch.setattr("minidiff.training.workers.drawers", lambda device, threads: 1)
    stage = AutoencoderTraining(SETTINGS)
    workers = Workers(stage, Flat(stage.model.parameters()), 2)
    for index in range(3):
        assert_same(workers.draw(index), stage.draw(index))
    [process] = workers.ahead.processes.processes
    workers.close()
    assert not is_running(process.pid)


def test_latents_of_images_drawn_ahead_are_the_same(finished, monkeypatch):
    def latents():
        return [*encode_images(SceneSource(16, 0, 100), finished.tokenizer(), finished.finished("autoencoder").model,
                               "cpu", 1)]

    expected = latents()
    monkeypatch.setattr("minidiff.training.diffusion.drawers", lambda device, threads: 2)
    assert len(expected) == 4
    for one, other in zip(latents(), expected, strict=True):
        assert_same((one.mean, one.ids), (other.mean, other.ids))

"""The loop: its length, what it refuses, and the average."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, STAGE

from minidiff.errors import UserError
from minidiff.storage.checkpoint import latest
from minidiff.training import loop, pace
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.flat import Flat
from minidiff.training.update import update_parameters
from minidiff.training.workers import Workers


def test_accumulated_batches_give_the_mean_of_their_gradients(tmp_path, monkeypatch):
    def gradient(batches):
        stage = AutoencoderTraining(SETTINGS)
        flat = Flat(stage.model.parameters())
        workers = Workers(stage, flat, 1)
        workers.clear()
        for index in batches:
            stage.step(workers, 1 / len(batches), *stage.draw(index))
        return flat.grad

    seen = []
    stage = AutoencoderTraining(SETTINGS)
    trainer = loop.Trainer(stage, replace(STAGE, steps=2, accumulation=2), tmp_path, 1)
    monkeypatch.setattr(loop, "update_parameters",
                        lambda flat, *args: (seen.append(flat.grad.copy()), update_parameters(flat, *args))[1])
    list(trainer.train())
    assert_allclose(seen[0], (gradient([0]) + gradient([1])) / 2, rtol=1e-4, atol=1e-6)
    assert not np.allclose(seen[0], gradient([0]), rtol=1e-2, atol=1e-4)


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_last_good_checkpoint(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    stage = AutoencoderTraining(SETTINGS)
    draw = stage.draw
    stage.draw = lambda index: [array if index < 3 else array * np.float32("nan") for array in draw(index)]
    trainer = loop.Trainer(stage, STAGE, tmp_path, 1)
    with pytest.raises(UserError, match=r"loss is nan at step 4; the last good checkpoint is .*checkpoint-00000003.*; "
                       r"lower train_autoencoder\.learning_rate in settings\.json"):
        list(trainer.train())
    assert latest(tmp_path)[2]["step"] == 3


@pytest.mark.parametrize("step_time, steps", [(10.0, 5), (60.0, 1), (2.0, 20)])
def test_minutes_are_kept_by_steps_so_slow_that_none_is_looked_at_before(tmp_path, monkeypatch, step_time, steps):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    for module in (loop, pace):
        monkeypatch.setattr(module, "time", clock)
    stage = AutoencoderTraining(SETTINGS)
    step = stage.step

    def slow(*arguments):
        clock.now += step_time
        return step(*arguments)

    stage.step = slow
    trainer = loop.Trainer(stage, replace(STAGE, steps=1000, warmup=50), tmp_path, 1)
    last = [*trainer.train(seconds=0.7 * 60)][-1]
    assert last.step == last.total == trainer.total
    assert last.step in (steps, steps + 1) and latest(tmp_path)[2] | {"shapes": 0} == {
        "step": last.step, "total": last.step, "shapes": 0, "optimizer": "muon"}


def test_the_rate_does_not_fall_before_the_number_of_steps_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    trainer = loop.Trainer(AutoencoderTraining(SETTINGS), replace(STAGE, warmup=5), tmp_path, 1)
    rates = []
    monkeypatch.setattr(loop, "update_parameters",
                        lambda *args: (rates.append(args[4]), update_parameters(*args))[1])
    next(trainer.train(seconds=60.0))
    assert rates == [STAGE.learning_rate * min(1.0, (index + 1) / 5) for index in range(8)]


def test_steps_that_slow_down_and_a_caller_that_takes_time_leave_the_training_as_long(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    for module in (loop, pace):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(loop, "LOOK_EVERY", 5)
    stage = AutoencoderTraining(SETTINGS)
    draw = stage.draw

    def slower_from_step_20(index):
        clock.now += 0.01 if index < 20 else 0.02
        return draw(index)

    stage.draw = slower_from_step_20
    trainer, away = loop.Trainer(stage, replace(STAGE, warmup=5), tmp_path, 1), 0.0
    for progress in trainer.train(seconds=4.0):
        assert progress.step <= progress.total
        clock.now += 0.5
        away += 0.5
    assert progress.step == progress.total == trainer.total
    assert clock.now - away == pytest.approx(4.0, rel=0.02)
    assert progress.learning_rate < 0.05 * STAGE.learning_rate


def test_a_resumed_stage_fits_into_its_seconds_unless_its_rate_has_begun_to_fall(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    for module in (loop, pace):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(loop, "LOOK_EVERY", 5)

    def trained(seconds, stop):
        stage = AutoencoderTraining(SETTINGS)
        draw = stage.draw
        stage.draw = lambda index: (setattr(clock, "now", clock.now + 0.1), draw(index))[1]
        trainer = loop.Trainer(stage, replace(STAGE, warmup=5), tmp_path, 1)
        trainer.resume()
        for progress in trainer.train(seconds):
            if progress.step == stop:
                break
        trainer.save()
        return progress.step, progress.total

    assert trained(60.0, 10) == (10, 600)
    assert trained(4.0, 45) == (45, 50)
    assert trained(60.0, None) == (50, 50)


def test_a_stage_stopped_before_its_length_was_known_goes_on_with_its_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    trainer = loop.Trainer(AutoencoderTraining(SETTINGS), STAGE, tmp_path, 1)
    next(trainer.train(seconds=60.0))
    assert trainer.total is None
    trainer.save()
    again = loop.Trainer(AutoencoderTraining(SETTINGS), STAGE, tmp_path, 1)
    again.resume()
    assert [progress.step for progress in again.train()] == [2, 3, 4, 5, 6]


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, finished):
    other = replace(SETTINGS, autoencoder=replace(SETTINGS.autoencoder, latent_channels=2))
    trainer = loop.Trainer(AutoencoderTraining(other), STAGE, finished.folder / "checkpoints" / "autoencoder")
    with pytest.raises(UserError, match="other settings"):
        trainer.resume()


def test_averaged_gives_the_own_parameters_back(finished):
    trainer = finished.trainer("diffusion")
    own = trainer.flat.value.copy()
    with trainer.averaged():
        assert_array_equal(trainer.flat.value, trainer.average)
        assert not np.array_equal(trainer.flat.value, own)
    assert_array_equal(trainer.flat.value, own)

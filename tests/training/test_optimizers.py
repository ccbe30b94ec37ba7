"""What is true of every optimizer in the table, by its name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_training import SETTINGS, STAGE, assert_stopping_changes_nothing

from minidiff import ops
from minidiff.cli import main
from minidiff.errors import UserError
from minidiff.nn.module import Module, Parameter
from minidiff.training import flat as flat_module
from minidiff.training import loop
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.flat import Flat
from minidiff.training.optimizers import OPTIMIZERS
from minidiff.training.optimizers import muon as muon_module
from minidiff.training.run import Run
from minidiff.training.update import update_parameters

SHAPES = {"bias": (4,), "conv": (3, 3, 2, 4), "linear": (5, 3), "second": (5, 3), "token_embedding": (6, 3),
          "scale": ()}

each_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


class Model(Module):
    def __init__(self, shapes):
        rng = np.random.default_rng(1)
        for name, shape in shapes.items():
            setattr(self, name, Parameter(rng.normal(size=shape)))


class Training:
    """An optimizer of a model in float64, its moving average, and the steps so far."""

    def __init__(self, name, shapes=SHAPES):
        self.settings = replace(STAGE, beta1=0.8, beta2=0.95, weight_decay=0.1)
        self.model = Model(shapes)
        self.flat = Flat(self.model.parameters())
        self.optimizer = OPTIMIZERS[name](self.flat, [self.model], self.settings)
        self.average, self.steps = self.flat.value.copy(), 0

    def step(self, gradients=None, **options):
        """One update, by gradients that depend on the number of the step alone if none are given."""
        for index, (name, parameter) in enumerate(self.model.named_parameters()):
            drawn = np.random.default_rng([self.steps, index]).normal(size=parameter.value.shape)
            parameter.grad[...] = drawn if gradients is None else gradients[name]
        self.steps += 1
        return update_parameters(self.flat, self.optimizer, self.average, self.steps, 0.01, **options)

    def steps_of(self, count, **options):
        for _ in range(count):
            self.step(**options)
        return self


@each_optimizer
def test_parts_cover_the_buffers_once(name, monkeypatch):
    monkeypatch.setattr(flat_module, "BLOCK", 5)
    training = Training(name)
    parts = sorted((part.start, part.stop) for part in training.optimizer.parts)
    assert parts[0][0] == 0 and parts[-1][1] == len(training.flat.value)
    assert all(stop == start for (_, stop), (start, _) in pairwise(parts))


@each_optimizer
def test_updates_in_small_blocks_on_several_threads_equal_those_in_one_piece(name, monkeypatch):
    whole = Training(name).steps_of(3)
    monkeypatch.setattr(flat_module, "BLOCK", 5)
    monkeypatch.setattr(muon_module, "STACK", 5)
    with ThreadPoolExecutor(3) as pool:
        blocked = Training(name).steps_of(3, run=pool.map)
    assert len(blocked.optimizer.parts) > len(whole.optimizer.parts)
    assert_allclose(blocked.flat.value, whole.flat.value, rtol=1e-9, atol=1e-12)


@each_optimizer
def test_flat_buffers_equal_separate_parameters(name):
    together = Training(name).steps_of(3)
    for index, (own, shape) in enumerate(SHAPES.items()):
        alone = Training(name, {own: shape})
        alone.flat.value[...] = Model(SHAPES).__dict__[own].value.reshape(-1)
        for step in range(3):
            alone.step({own: np.random.default_rng([step, index]).normal(size=shape)})
        expected = getattr(alone.model, own).value
        assert_allclose(getattr(together.model, own).value, expected, rtol=1e-9, atol=1e-12)


def test_the_norm_of_a_gradient_does_not_overflow_in_half_precision():
    norm, scale = ops.clipping(np.full(1000, 20, np.float16), 1.0)
    assert_allclose([norm, scale * norm], [np.sqrt(400_000), 1], rtol=1e-6)


@each_optimizer
def test_long_gradients_are_clipped_and_short_ones_are_not(name):
    clipped, scaled, free = Training(name), Training(name), Training(name)
    for _ in range(3):
        norm = clipped.step(clip=3.0)
        assert_allclose(norm, np.linalg.norm(clipped.flat.grad), rtol=1e-12, atol=0)
        assert norm > 4.0
        grads = {own: p.grad * 3.0 / (float(norm) + 1e-6) for own, p in clipped.model.named_parameters()}
        scaled.step(grads, clip=4.0)
        free.step(grads)
    assert_allclose(clipped.flat.value, free.flat.value, rtol=1e-9, atol=1e-12)
    assert_array_equal(scaled.flat.value, free.flat.value)


@each_optimizer
def test_the_average_follows_the_parameters(name):
    training, expected = Training(name), Training(name).average
    for _ in range(3):
        training.step(average_decay=0.9)
        expected = 0.9 * expected + 0.1 * training.flat.value
        assert_allclose(training.average, expected, rtol=1e-12, atol=1e-14)


@each_optimizer
def test_without_a_gradient_only_the_weight_decay_moves_parameters(name):
    training = Training(name)
    before = training.flat.value.copy()
    training.step(dict.fromkeys(SHAPES, 0.0))
    ratio = training.flat.value / before
    assert (ratio < 1).all() and (ratio > 0.99).all()


@each_optimizer
def test_the_state_is_all_that_an_optimizer_remembers(name):
    whole, stopped = Training(name).steps_of(5), Training(name).steps_of(2)
    resumed = Training(name)
    resumed.flat.value[...], resumed.steps = stopped.flat.value, stopped.steps
    for key, array in resumed.optimizer.state().items():
        assert array.shape == whole.flat.value.shape and not array.any()
        array[...] = stopped.optimizer.state()[key]
    assert_array_equal(resumed.steps_of(3).flat.value, whole.flat.value)


@each_optimizer
def test_buffers_never_move(name):
    training = Training(name)
    buffers = {"value": training.flat.value} | training.optimizer.state()
    addresses = {key: array.ctypes.data for key, array in buffers.items()}
    training.steps_of(2)
    after = {"value": training.flat.value} | training.optimizer.state()
    assert {key: array.ctypes.data for key, array in after.items()} == addresses


@each_optimizer
def test_a_least_squares_fit_is_learned(name):
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(50, 5)), rng.normal(size=(5, 3))
    training = Training(name, {"linear": (5, 3)})

    def error():
        return training.model.linear.value - target

    first = np.square(x @ error()).mean()
    for _ in range(300):
        training.step({"linear": x.T @ (x @ error()) / 50})
    assert np.square(x @ error()).mean() < 0.2 * first


@each_optimizer
def test_resume_equals_uninterrupted_training(name, tmp_path, monkeypatch):
    stage = replace(STAGE, optimizer=name)
    settings = replace(SETTINGS, train_autoencoder=stage, train_contrastive=stage, train_diffusion=stage)
    whole = Run(tmp_path / "whole", settings, threads=1)
    list(whole.train())
    assert_stopping_changes_nothing(whole, tmp_path / "stopped", monkeypatch)


@each_optimizer
def test_a_checkpoint_of_another_optimizer_is_refused_in_one_line(name, tmp_path):
    first = loop.Trainer(AutoencoderTraining(SETTINGS), replace(STAGE, optimizer=name), tmp_path, 1)
    first.save()
    for other in OPTIMIZERS.keys() - {name}:
        trainer = loop.Trainer(AutoencoderTraining(SETTINGS), replace(STAGE, optimizer=other), tmp_path, 1)
        with pytest.raises(UserError, match=f"trained with the optimizer {name}, the settings say {other}"):
            trainer.resume()


@pytest.mark.parametrize("stage", ["train_autoencoder", "train_contrastive", "train_diffusion"])
def test_an_unknown_optimizer_is_refused_before_any_work_with_the_known_ones(tmp_path, stage):
    settings = replace(SETTINGS, **{stage: replace(STAGE, optimizer="sgd")})
    with pytest.raises(UserError, match=f"'sgd': use one of {', '.join(OPTIMIZERS)}"):
        Run(tmp_path / "run", settings)
    assert not any(tmp_path.iterdir())


def test_the_help_of_train_names_every_optimizer(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert f"muon; one of {', '.join(OPTIMIZERS)}" in " ".join(capsys.readouterr().out.split())

"""Training: the optimiser's formulas, workers, stages, and runs that stop and go on."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.errors import UserError
from minidiff.nn.module import Module, Parameter
from minidiff.storage.checkpoint import latest, list_checkpoints
from minidiff.storage.pipeline_folder import load_clip, load_pipeline, save_pipeline
from minidiff.training import loop, optimizer, presets
from minidiff.training import muon as muon_module
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.contrastive import ContrastiveTraining
from minidiff.training.diffusion import DiffusionTraining, Latents
from minidiff.training.muon import Muon, orthogonal
from minidiff.training.optimizer import AdamW, Flat, average_decay, learning_rate
from minidiff.training.presets import StageSettings
from minidiff.training.run import Run
from minidiff.training.start import settings_of
from minidiff.training.workers import Workers, worker_count

STAGE = StageSettings(steps=6, batch_size=8, learning_rate=1e-3, share=0.3, warmup=2)
SETTINGS = presets.Settings(
    size=16,
    autoencoder=presets.AutoencoderSettings(block_out_channels=(4, 8), norm_num_groups=2),
    text=presets.TextSettings(vocab_size=600, max_length=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2),
    image=presets.ImageSettings(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, projection_dim=4),
    unet=presets.UNetSettings(block_out_channels=(8, 16), attention_levels=(False, True), attention_head_dim=2,
                              norm_num_groups=4),
    diffusion=presets.DiffusionSettings(prediction="v_prediction", latents=40),
    train_autoencoder=STAGE, train_contrastive=STAGE, train_diffusion=STAGE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny run, trained to its end without a stop."""
    run = Run(tmp_path_factory.mktemp("run") / "run", SETTINGS, threads=1)
    list(run.train())
    return run


def test_adamw_follows_its_formula_for_ten_steps():
    rng = np.random.default_rng(0)
    parameters = [Parameter(rng.normal(size=shape)) for shape in ((3, 4), (5,), ())]
    flat = Flat(parameters)
    w = flat.value.copy()
    adam = AdamW(flat, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)
    m, v, average = np.zeros_like(w), np.zeros_like(w), w.copy()
    for t in range(1, 11):
        g = rng.normal(size=w.shape)
        flat.grad[...] = g
        norm = adam.step(t, lr=0.01, clip=3.0, average_decay=0.9)
        assert_allclose(norm, np.linalg.norm(g), rtol=1e-12, atol=0)
        g = g * min(1.0, 3.0 / (np.linalg.norm(g) + 1e-6))
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        w = w - 0.01 * (m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6) + 0.1 * w)
        average = 0.9 * average + 0.1 * w
        assert_allclose(flat.value, w, rtol=1e-12, atol=1e-14)
        assert_allclose(adam.average, average, rtol=1e-12, atol=1e-14)


def newton_schulz(x):
    """Jordan et al.'s iteration as they write it."""
    x = x / np.linalg.norm(x)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.floats(1e-6, 1e6))
def test_the_momentum_of_a_matrix_keeps_its_directions_and_loses_their_sizes(rows, columns, seed, size):
    x = size * np.random.default_rng(seed).standard_normal((rows, columns))
    stack = np.stack([np.ones_like(x), x, np.zeros_like(x)])
    stack.flags.writeable = False
    _, y, none = orthogonal(stack)
    assert not none.any()
    expected = newton_schulz(x) if rows <= columns else newton_schulz(x.T).T
    assert_allclose(y, expected, rtol=0, atol=1e-9)
    u, sizes, v = np.linalg.svd(x, full_matrices=False)
    in_its_directions = u.T @ y @ v.T
    new = np.diagonal(in_its_directions)
    assert_allclose(in_its_directions, np.diag(new), rtol=0, atol=1e-9)
    large = sizes > 0.01 * np.linalg.norm(x)
    assert (new[large] > 0.65).all()
    assert (new < 1.25).all()


def test_muon_moves_matrices_and_leaves_the_rest_to_adamw(monkeypatch):
    monkeypatch.setattr(optimizer, "BLOCK", 5)
    monkeypatch.setattr(muon_module, "STACK", 2 * 18 * 4)
    rng = np.random.default_rng(0)

    class Model(Module):
        def __init__(self):
            for name, shape in (("bias", (4,)), ("conv", (3, 3, 2, 4)), ("second", (3, 6, 4)), ("third", (3, 6, 4)),
                                ("other", (7,)), ("norm", (6,)), ("apart", (18, 4)),
                                ("linear", (5, 3)), ("last", (2, 8)), ("token_embedding", (6, 3))):
                setattr(self, name, Parameter(rng.normal(size=shape)))

    model, twin = Model(), Model()
    for own, other in zip(model.parameters(), twin.parameters(), strict=True):
        other.value = own.value.copy()
    flat, plain = Flat(model.parameters()), Flat(twin.parameters())
    muon = Muon(flat, [model], (0.8, 0.95), 0.1, rate=2.0, momentum=0.7)
    adam = AdamW(plain, (0.8, 0.95), 0.1)
    assert len(muon.shapes) == 5  # conv and second are a stack, third is what is left of it
    matrices = {**dict.fromkeys(("conv", "second", "third", "apart"), (18, 4)), "linear": (5, 3), "last": (2, 8)}
    w = {name: getattr(model, name).value.reshape(shape).copy() for name, shape in matrices.items()}
    m = {name: np.zeros(shape) for name, shape in matrices.items()}
    for t in range(1, 11):
        flat.grad[...] = plain.grad[...] = rng.normal(size=flat.value.shape)
        g = {name: getattr(model, name).grad.reshape(shape).copy() for name, shape in matrices.items()}
        norm = muon.step(t, lr=0.01, clip=3.0, average_decay=0.9)
        adam.step(t, lr=0.01, clip=3.0, average_decay=0.9)
        for name, shape in matrices.items():
            clipped = g[name] * min(1.0, 3.0 / (norm + 1e-6))
            m[name] = 0.7 * m[name] + 0.3 * clipped
            change = 0.3 * clipped + 0.7 * m[name]
            change = newton_schulz(change) if shape[0] <= shape[1] else newton_schulz(change.T).T
            w[name] = w[name] - 2.0 * 0.01 * (0.2 * max(shape) ** 0.5 * change + 0.1 * w[name])
    for name, parameter in model.named_parameters():
        if name in matrices:
            assert_allclose(parameter.value.reshape(matrices[name]), w[name], rtol=1e-9, atol=1e-12)
        else:
            assert_array_equal(parameter.value, getattr(twin, name).value)
    for parameter, part in flat.parts():
        assert (muon.average[part] != parameter.value.reshape(-1)).all()


def test_an_update_in_blocks_equals_one_in_one_piece(monkeypatch):
    def trained(block):
        monkeypatch.setattr(optimizer, "BLOCK", block)
        flat = Flat([Parameter(np.linspace(-1, 1, 50))])
        adam = AdamW(flat, (0.9, 0.99), 0.01)
        flat.grad[...] = np.cos(np.arange(50))
        adam.step(1, lr=0.1)
        return flat.value

    assert_array_equal(trained(7), trained(1000))


def test_flat_parameters_are_views_that_keep_their_values_and_addresses():
    parameters = [Parameter(np.arange(6.0).reshape(2, 3)), Parameter(np.arange(4.0))]
    flat = Flat([*parameters, parameters[0]])  # a shared parameter is there once
    assert flat.value.size == 10
    assert_array_equal(parameters[0].value, np.arange(6.0).reshape(2, 3))
    flat.value[...] = 7
    flat.grad[...] = 3
    assert all((p.value == 7).all() and (p.grad == 3).all() for p in parameters)


@given(st.integers(1, 50), st.integers(60, 500), st.floats(1e-5, 1.0))
def test_the_learning_rate_rises_stays_and_falls_to_its_floor(warmup, total, peak):
    rates = [learning_rate(step, total, peak, warmup) for step in range(total + 1)]
    falls = total - 0.2 * (total - warmup)
    assert all(a < b for a, b in pairwise(rates[:warmup]))
    assert all(rate == peak for step, rate in enumerate(rates) if warmup <= step < falls)
    assert all(a > b for step, (a, b) in enumerate(pairwise(rates)) if step > falls)
    assert math.isclose(rates[-1], 0.02 * peak, rel_tol=1e-9)
    assert learning_rate(2 * total, total, peak, warmup) == rates[-1]


@given(st.integers(1, 50), st.integers(60, 500), st.integers(1, 500))
def test_a_longer_run_begins_with_the_steps_of_a_shorter_one(warmup, total, more):
    for step in range(int(total - 0.2 * (total - warmup))):
        assert learning_rate(step, total, 1.0, warmup) == learning_rate(step, total + more, 1.0, warmup)


def test_the_average_is_short_at_first_and_then_as_long_as_asked():
    decays = [average_decay(step, 0.999) for step in range(20_000)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.999


def stages(run):
    """One fresh stage of each kind."""
    tokenizer = run.tokenizer()
    clip = ContrastiveTraining(SETTINGS, tokenizer)
    return [AutoencoderTraining(SETTINGS), clip,
            DiffusionTraining(SETTINGS, tokenizer, ContrastiveTraining(SETTINGS, tokenizer).model.text_model,
                              run.latents())]


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_workers_together_make_the_gradient_of_one(finished, which):
    def gradient(count):
        stage = stages(finished)[which]
        flat = Flat([p for model in stage.models for p in model.parameters()])
        workers = Workers(stage, flat, count)
        workers.clear()
        losses = stage.step(workers, 3, 1.0)
        workers.gather()
        workers.close()
        return flat.grad, losses["loss"]

    (alone, alone_loss), (split, split_loss) = gradient(1), gradient(3)
    assert np.linalg.norm(alone) > 1e-3
    assert np.linalg.norm(split - alone) < 1e-5 * np.linalg.norm(alone)
    assert_allclose(split_loss, alone_loss, rtol=1e-5, atol=0)


@pytest.mark.parametrize("which", range(3), ids=["autoencoder", "contrastive", "diffusion"])
def test_a_batch_is_a_function_of_its_number(finished, which):
    def loss(index):
        stage = stages(finished)[which]
        flat = Flat([p for model in stage.models for p in model.parameters()])
        return float(stage.step(Workers(stage, flat, 1), index, 1.0)["loss"])

    assert loss(2) == loss(2)
    assert loss(2) != loss(3)


def test_each_stage_learns(tmp_path, finished):
    for stage in stages(finished):
        settings = replace(STAGE, steps=60, learning_rate=3e-3, warmup=5)
        seen = [p.losses["loss"] for p in loop.Trainer(stage, settings, tmp_path / stage.name, 1).train()]
        assert seen[-1] < 0.93 * seen[0], stage.name


def diffusion_step(run, **changes):
    """The diffusion stage with some settings changed, after the gradient of its first batch."""
    settings = replace(SETTINGS, diffusion=replace(SETTINGS.diffusion, **changes))
    text_encoder = ContrastiveTraining(settings, run.tokenizer()).model.text_model
    stage = DiffusionTraining(settings, run.tokenizer(), text_encoder, run.latents())
    stage.step(Workers(stage, Flat([p for model in stage.models for p in model.parameters()]), 1), 0, 1.0)
    return stage


@pytest.fixture
def batches(monkeypatch):
    """What `predict_noise` is given: x, t, ids, answer, weight of each batch."""
    seen = []
    monkeypatch.setattr("minidiff.training.diffusion.predict_noise",
                        lambda unet, text, *batch: (seen.append(batch[:5]), ({"loss": 0.0}, lambda share: None))[1])
    return seen


def test_the_temperature_stays_within_its_published_bound(finished):
    stage = ContrastiveTraining(SETTINGS, finished.tokenizer())
    flat = Flat(stage.model.parameters())
    stage.model.logit_scale.value[...] = 7.0
    stage.step(Workers(stage, flat, 1), 0, 1.0)
    assert_allclose(stage.model.logit_scale.value, math.log(100), rtol=1e-6, atol=0)


def test_the_text_encoder_learns_with_the_unet_only_if_asked(finished):
    for asked in (True, False):
        stage = diffusion_step(finished, train_text_encoder=asked)
        assert any(np.any(p.grad) for p in stage.text_encoder.parameters()) == asked


def test_a_frozen_text_encoder_is_not_even_decayed(finished, tmp_path):
    stage = diffusion_step(finished, train_text_encoder=False)
    before = [p.value.copy() for p in stage.text_encoder.parameters()]
    list(loop.Trainer(stage, replace(STAGE, steps=2), tmp_path, threads=1).train())
    assert all((p.value == old).all() for p, old in zip(stage.text_encoder.parameters(), before, strict=True))


def test_dropped_captions_are_the_empty_prompt(finished, batches):
    diffusion_step(finished, caption_dropout=0.0)
    diffusion_step(finished, caption_dropout=1.0)
    empty = finished.tokenizer()([""])
    assert not (batches[0][2] == empty).all(axis=1).any()
    assert (batches[1][2] == empty).all()


def test_the_loss_of_each_sample_has_its_weight(finished, batches):
    for weighting in ("uniform", "min_snr", "sqrt_snr"):
        stage = diffusion_step(finished, prediction="epsilon", weighting=weighting)
    alpha, sigma = stage.schedule.at(batches[1][1])
    assert (batches[0][4] == 1).all()
    assert_allclose(batches[1][4], np.minimum(alpha**2, 5 * sigma**2) / alpha**2, rtol=1e-6, atol=0)
    assert_allclose(batches[2][4], sigma / alpha, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("group", "changes", "message"), [
    ("diffusion", {"prediction": "score"}, "flow_prediction"),
    ("diffusion", {"weighting": "snr"}, "sqrt_snr"),
    ("unet", {"norm_num_groups": 3}, "doesn't divide 8 channels"),
    ("unet", {"attention_head_dim": 3}, "don't divide 8 channels"),
])
def test_what_the_last_stage_cannot_begin_with_is_said_before_the_first(tmp_path, group, changes, message):
    settings = replace(SETTINGS, **{group: replace(getattr(SETTINGS, group), **changes)})
    with pytest.raises(UserError, match=message):
        Run(tmp_path / "run", settings)
    assert not any(tmp_path.iterdir())


def test_accumulated_batches_give_the_mean_of_their_gradients(tmp_path, finished):
    def gradient(batches):
        stage = AutoencoderTraining(SETTINGS)
        flat = Flat(stage.model.parameters())
        workers = Workers(stage, flat, 1)
        workers.clear()
        for index in batches:
            stage.step(workers, index, 1 / len(batches))
        return flat.grad

    seen = []
    stage = AutoencoderTraining(SETTINGS)
    trainer = loop.Trainer(stage, replace(STAGE, steps=2, accumulation=2), tmp_path, 1)
    own = trainer.optimizer.step
    trainer.optimizer.step = lambda *args: (seen.append(trainer.flat.grad.copy()), own(*args))[1]
    list(trainer.train())
    assert_allclose(seen[0], (gradient([0]) + gradient([1])) / 2, rtol=1e-4, atol=1e-6)
    assert not np.allclose(seen[0], gradient([0]), rtol=1e-2, atol=1e-4)


def test_latents_reach_the_unet_with_unit_variance():
    rng = np.random.default_rng(0)
    latents = Latents((5 * rng.normal(size=(500, 4, 4, 2))).astype(np.float16), np.zeros((500, 3), np.int32))
    assert_allclose(latents.scaling_factor, 1 / 5, rtol=0.02, atol=0)


def everything(run):
    """The bytes of all that a run has learned."""
    return {stage: (run.trainer(stage).flat.value, run.trainer(stage).optimizer.average, run.trainer(stage).step)
            for stage in ("autoencoder", "contrastive", "diffusion")}


def test_resume_equals_uninterrupted_training(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    folder, stops = tmp_path / "run", 0
    Run(folder, SETTINGS, threads=1)
    while True:
        for progress in Run.resume(folder, threads=1).train():
            if progress.stage != "latents" and progress.step in (2, 4):  # once saved, stop and begin anew
                stops += 1
                break
        else:
            break
        if stops > 20:
            pytest.fail("a stopped run does not move on")
    expected, got = (everything(Run.resume(path, threads=1)) for path in (finished.folder, folder))
    assert stops == 6
    for stage, arrays in expected.items():
        for a, b in zip(arrays, got[stage], strict=True):
            assert_array_equal(a, b)


def test_a_killed_run_goes_on_from_its_checkpoint_and_leaves_no_half_written_file(tmp_path):
    folder = tmp_path / "run"
    program = ("import sys; from pathlib import Path; from minidiff.training import loop; loop.LOOK_EVERY = 1; "
               "loop.CHECKPOINT_SECONDS = 0; from tests.test_training import SETTINGS, STAGE, replace, Run\n"
               "long = replace(SETTINGS, train_autoencoder=replace(STAGE, steps=100_000))\n"
               "list(Run(Path(sys.argv[1]), long, threads=1).train())")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1",
                                "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, sys.path)])}
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], env=environment)
    checkpoints = folder / "checkpoints" / "autoencoder"
    deadline = time.monotonic() + 60
    while not len(list_checkpoints(checkpoints)) > 1 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, _, state = latest(checkpoints)
    run = Run.resume(folder, threads=1)
    assert run.trainer("autoencoder").step == state["step"] > 0
    assert next(run.train(["autoencoder"])).step > state["step"]


def test_a_loss_that_is_not_finite_stops_with_the_step_and_the_last_good_checkpoint(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    stage = AutoencoderTraining(SETTINGS)
    step = stage.step
    stage.step = lambda workers, index, *rest: (
        step(workers, index, *rest) if index < 3 else {"loss": np.float32("nan")})
    trainer = loop.Trainer(stage, STAGE, tmp_path, 1)
    with pytest.raises(UserError, match=r"loss is nan at step 4; the last good checkpoint is .*checkpoint-00000003"):
        list(trainer.train())
    assert latest(tmp_path)[2]["step"] == 3


def test_minutes_fit_the_number_of_steps_to_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    stage = AutoencoderTraining(SETTINGS)
    trainer = loop.Trainer(stage, replace(STAGE, warmup=5), tmp_path, 1)
    start = time.monotonic()
    progress = list(trainer.train(seconds=3.0))
    assert progress[-1].step == progress[-1].total == trainer.total > 10
    assert 1.0 < time.monotonic() - start < 9.0


def test_the_rate_does_not_fall_before_the_number_of_steps_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 8)
    trainer = loop.Trainer(AutoencoderTraining(SETTINGS), replace(STAGE, warmup=5), tmp_path, 1)
    rates, step = [], trainer.optimizer.step
    trainer.optimizer.step = lambda index, rate, *rest: (rates.append(rate), step(index, rate, *rest))[1]
    next(trainer.train(seconds=60.0))
    assert rates == [STAGE.learning_rate * min(1.0, (index + 1) / 5) for index in range(8)]


def test_steps_that_slow_down_and_a_caller_that_takes_time_leave_the_training_as_long(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "LOOK_EVERY", 5)
    stage = AutoencoderTraining(SETTINGS)
    step = stage.step

    def slower_from_step_20(workers, index, *rest):
        clock.now += 0.01 if index < 20 else 0.02
        return step(workers, index, *rest)

    stage.step = slower_from_step_20
    trainer, away = loop.Trainer(stage, replace(STAGE, warmup=5), tmp_path, 1), 0.0
    for progress in trainer.train(seconds=4.0):
        assert progress.step <= progress.total
        clock.now += 0.5
        away += 0.5
    assert progress.step == progress.total == trainer.total
    assert clock.now - away == pytest.approx(4.0, rel=0.02)
    assert progress.learning_rate < 0.05 * STAGE.learning_rate


def test_a_stage_stopped_before_its_length_was_known_goes_on_with_its_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    trainer = loop.Trainer(AutoencoderTraining(SETTINGS), STAGE, tmp_path, 1)
    next(trainer.train(seconds=60.0))
    assert trainer.total is None
    trainer.save()
    again = loop.Trainer(AutoencoderTraining(SETTINGS), STAGE, tmp_path, 1)
    again.resume()
    assert [progress.step for progress in again.train()] == [2, 3, 4, 5, 6]


def test_a_run_lengthened_before_its_rate_falls_equals_a_longer_one(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    long, short = (Run(tmp_path / str(steps), replace(SETTINGS, train_autoencoder=replace(STAGE, steps=steps)),
                       threads=1) for steps in (16, 8))
    list(long.train(["tokenizer", "autoencoder"]))
    next(progress for progress in short.train(["tokenizer", "autoencoder"]) if progress.step == 6)
    Run.resume(short.folder, threads=1).lengthen("autoencoder", 16)
    short = Run.resume(short.folder, threads=1)
    list(short.train(["autoencoder"]))
    assert_array_equal(short.trainer("autoencoder").flat.value, long.trainer("autoencoder").flat.value)


def test_a_resumed_run_has_its_own_settings_and_a_begun_one_is_not_begun_again(finished):
    assert Run.resume(finished.folder).settings == SETTINGS
    with pytest.raises(UserError, match="--resume"):
        Run(finished.folder, SETTINGS)


def test_resume_without_a_run_and_an_unknown_stage_are_one_clear_line(tmp_path, finished):
    with pytest.raises(UserError, match="no training run"):
        Run.resume(tmp_path)
    with pytest.raises(UserError, match="unknown stage 'unet'"):
        list(finished.train(["unet"]))


def test_a_stage_that_needs_another_says_so(tmp_path):
    run = Run(tmp_path / "run", SETTINGS)
    list(run.train(["tokenizer"]))
    with pytest.raises(UserError, match=r"autoencoder stage .* is not done"):
        list(run.train(["latents"]))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, finished):
    other = replace(SETTINGS, autoencoder=replace(SETTINGS.autoencoder, latent_channels=2))
    trainer = loop.Trainer(AutoencoderTraining(other), STAGE, finished.folder / "checkpoints" / "autoencoder")
    with pytest.raises(UserError, match="other settings"):
        trainer.resume()


def same_parameters(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert_array_equal(a.value, b.value)


def test_a_run_begun_from_a_model_goes_on_with_its_unet_alone(tmp_path, finished):
    model = finished.model_folder
    run = Run(tmp_path / "more", SETTINGS, threads=1, start=model)
    assert list(run.train(["tokenizer", "autoencoder", "contrastive"])) == []
    assert {progress.stage for progress in run.train(["latents"])} == {"latents"}
    before, clip = load_pipeline(model), load_clip(model)
    same_parameters(run.trainer("diffusion").stage.unet, before.unet)
    assert [(progress.stage, progress.step) for progress in run.train()] == [("diffusion", 6)]
    after = load_pipeline(run.model_folder)
    same_parameters(after.vae, before.vae)
    same_parameters(after.text_encoder, before.text_encoder)
    same_parameters(load_clip(run.model_folder), clip)
    for a, b in zip(after.unet.parameters(), before.unet.parameters(), strict=True):
        assert (a.value != b.value).any()
    assert after.tokenizer.vocabulary == before.tokenizer.vocabulary


def test_a_run_begun_from_a_model_has_the_text_encoder_that_its_unet_learned_with(tmp_path, finished):
    parts, clip = load_pipeline(finished.model_folder), load_clip(finished.model_folder)
    for parameter in parts.text_encoder.parameters():
        parameter.value = parameter.value + np.float32(0.5)
    save_pipeline(parts, tmp_path / "model", clip)
    run = Run(tmp_path / "more", SETTINGS, threads=1, start=tmp_path / "model")
    list(run.train(["latents"]))
    same_parameters(run.trainer("diffusion").stage.text_encoder, parts.text_encoder)
    same_parameters(run.trainer("contrastive").stage.model, clip)


def test_a_run_begun_from_a_model_goes_on_bit_for_bit_after_a_stop(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 1)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    whole, stopped = (Run(tmp_path / name, SETTINGS, threads=1, start=finished.model_folder)
                      for name in ("whole", "stopped"))
    list(whole.train())
    next(progress for progress in stopped.train() if progress.stage == "diffusion" and progress.step == 3)
    stopped = Run.resume(stopped.folder, threads=1)
    list(stopped.train())
    assert_array_equal(stopped.trainer("diffusion").optimizer.average, whole.trainer("diffusion").optimizer.average)


def test_a_model_says_what_the_settings_of_a_run_from_it_are(finished):
    parts, clip = load_pipeline(finished.model_folder), load_clip(finished.model_folder)
    got = settings_of(parts, clip, replace(presets.Settings(), seed=7))
    expected = replace(SETTINGS, text=replace(SETTINGS.text, vocab_size=len(parts.tokenizer)), seed=7)
    for name in ("size", "autoencoder", "text", "image", "unet", "seed"):
        assert getattr(got, name) == getattr(expected, name)
    assert got.diffusion == replace(presets.DiffusionSettings(), prediction="v_prediction")
    assert got.train_diffusion == presets.Settings().train_diffusion


@pytest.mark.parametrize("group, name, value", [
    ("autoencoder", "latent_channels", 3), ("image", "patch_size", 4), ("text", "hidden_size", 16),
    ("unet", "block_out_channels", (8, 8))])
def test_a_run_of_other_sizes_than_the_model_it_begins_from_is_refused(tmp_path, finished, group, name, value):
    other = replace(SETTINGS, **{group: replace(getattr(SETTINGS, group), **{name: value})})
    with pytest.raises(UserError, match=f"{group}: a run with {name} = "):
        Run(tmp_path / "run", other, start=finished.model_folder)
    assert not list(tmp_path.iterdir())


def test_metrics_are_one_json_record_a_line(finished):
    records = [json.loads(line) for line in (finished.folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["stage"] for r in records] == ["autoencoder", "contrastive", "diffusion"]
    assert all(r["step"] == 6 and np.isfinite(r["loss"]) and r["samples_per_second"] > 0 for r in records)


def test_the_saved_model_holds_the_averages(finished):
    parts = load_pipeline(finished.model_folder)
    clip = load_clip(finished.model_folder)
    for stage, saved in (("contrastive", clip), ("diffusion", parts.unet)):
        trainer = finished.trainer(stage)
        with trainer.averaged():
            for own, learned in zip(saved.parameters(), trainer.stage.models[0].parameters(), strict=True):
                assert_allclose(own.value, learned.value, rtol=1e-3, atol=1e-4)
    for frozen, learned in zip(parts.text_encoder.parameters(), clip.text_model.parameters(), strict=True):
        assert_allclose(frozen.value, learned.value, rtol=1e-3, atol=1e-4)
    assert parts.vae.config.scaling_factor == pytest.approx(finished.latents().scaling_factor)
    assert parts.scheduler["flow_shift"] == SETTINGS.diffusion.time_shift
    assert parts.scheduler["prediction_type"] == "v_prediction" and parts.scheduler["rescale_betas_zero_snr"]


def test_training_draws_its_times_shifted_towards_noise(finished, batches):
    for shift in (1.0, 1000.0):
        diffusion_step(finished, time_shift=shift, layout_share=0.0)
    assert batches[0][1].mean() < 800 < 900 < batches[1][1].min()


@pytest.mark.parametrize("prediction, last", [("v_prediction", 999), ("flow_prediction", 1000)])
def test_a_part_of_each_batch_is_pure_noise(finished, batches, prediction, last):
    for share in (0.0, 0.5, 1.0):
        diffusion_step(finished, time_shift=1.0, layout_share=share, prediction=prediction)
    none, half, all_ = ((times == last).mean() for _, times, *_ in batches)
    assert none == 0 and 0 < half < 1 and all_ == 1


def test_averaged_gives_the_own_parameters_back(finished):
    trainer = finished.trainer("diffusion")
    own = trainer.flat.value.copy()
    with trainer.averaged():
        assert_array_equal(trainer.flat.value, trainer.optimizer.average)
        assert not np.array_equal(trainer.flat.value, own)
    assert_array_equal(trainer.flat.value, own)


@pytest.mark.parametrize("name, text, expected", [
    ("train_diffusion.batch_size", "16", 16), ("unet.block_out_channels", "8,16", (8, 16)), ("seed", "3", 3),
    ("diffusion.train_text_encoder", "false", False), ("diffusion.prediction", "epsilon", "epsilon"),
    ("autoencoder.kl_weight", "1e-5", 1e-5)])
def test_every_setting_can_be_overridden_in_its_own_type(name, text, expected):
    assert presets.setting_names(presets.override(SETTINGS, name, text))[name] == expected


@pytest.mark.parametrize("name, text, message", [
    ("train_diffusion.size", "1", "unknown setting"), ("nothing", "1", "unknown setting"),
    ("seed", "x", "'x' is no int"), ("diffusion.train_text_encoder", "maybe", "is no bool")])
def test_a_bad_setting_is_one_clear_line(name, text, message):
    with pytest.raises(UserError, match=message):
        presets.override(SETTINGS, name, text)


def test_settings_survive_json():
    values = json.loads(json.dumps(asdict(SETTINGS)))
    assert presets.from_dict(presets.Settings(), values) == SETTINGS


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UserError, match="tiny, small"):
        presets.preset("huge")


def test_workers_are_as_many_as_a_batch_is_worth(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert worker_count(2, "cpu", 8) == 1
    assert worker_count(64, "cpu", 3) == 3
    assert worker_count(64, "cuda", 3) == 1
    monkeypatch.setattr("sys.platform", "darwin")
    assert worker_count(64, "cpu", 3) == 1


@pytest.fixture
def two_workers():
    """Two workers of an autoencoder stage whose second one fails where an image is not finite."""
    stage = AutoencoderTraining(SETTINGS)
    first, learn = os.getpid(), stage.learn

    def strict(share, images, noise):
        if os.getpid() != first and not np.isfinite(images).all():
            raise ValueError("not an image")
        return learn(share, images, noise)

    stage.learn = strict
    workers = Workers(stage, Flat(stage.model.parameters()), 2)
    yield workers
    workers.close()


def test_an_error_in_a_worker_reaches_the_caller(two_workers):
    with pytest.raises(ValueError, match="not an image"):
        two_workers.learn(1.0, np.full((2, 16, 16, 3), np.nan, np.float32), np.zeros((2, 8, 8, 12), np.float32))
    assert np.isfinite(two_workers.stage.step(two_workers, 0, 1.0)["loss"])


def test_a_worker_leaves_ctrl_c_to_the_first_process(two_workers):
    os.kill(two_workers.processes[0].pid, signal.SIGINT)
    assert np.isfinite(two_workers.stage.step(two_workers, 0, 1.0)["loss"])


def test_a_worker_that_was_ended_is_told_in_one_line(two_workers):
    two_workers.processes[0].kill()
    with pytest.raises(UserError, match="a worker process was ended"):
        two_workers.stage.step(two_workers, 0, 1.0)


def test_workers_end_with_their_training(two_workers):
    two_workers.close()
    assert not two_workers.processes[0].is_alive()

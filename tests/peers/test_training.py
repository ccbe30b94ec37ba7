"""Optimizer, clipping, moving average, learning rate and the weights of the loss are those of torch and diffusers."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch
from diffusers.training_utils import EMAModel, compute_snr
from torch.nn.utils import clip_grad_norm_
from torch.optim import lr_scheduler

from minidiff.diffusion.objectives import min_snr_weight, sqrt_snr_weight
from minidiff.diffusion.schedules import Schedule
from minidiff.nn.layers import Linear
from minidiff.nn.module import Parameter
from minidiff.training.flat import Flat
from minidiff.training.optimizers.adamw import AdamW
from minidiff.training.optimizers.muon import Muon
from minidiff.training.presets import StageSettings
from minidiff.training.schedule import average_decay, learning_rate
from minidiff.training.update import update_parameters

from .compare import GRADIENTS, VALUES

SHAPES = [(2, 2, 3, 4), (), (7,), (5, 3)]  # in the order of the buffers
STAGE = StageSettings(10, 1, 0.01, 1.0)
CLIP = 2.0  # some of the gradients below are longer, some are shorter


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("dtype", GRADIENTS)
def test_ten_clipped_steps_of_adamw_and_the_average(dtype, weight_decay, agree):
    rng = np.random.default_rng(0)
    parameters = [Parameter(np.asarray(rng.standard_normal(shape), dtype)) for shape in SHAPES]
    theirs = [torch.nn.Parameter(torch.tensor(p.value)) for p in parameters]
    flat = Flat(parameters)
    ours = AdamW(flat, [], replace(STAGE, beta1=0.8, beta2=0.95, weight_decay=weight_decay), 1e-6)
    our_average = flat.value.copy()
    adamw = torch.optim.AdamW(theirs, betas=(0.8, 0.95), eps=1e-6, weight_decay=weight_decay)
    average = EMAModel(deepcopy(theirs), decay=0.5)  # a decay that is reached within the ten steps
    clipped = set()
    for step in range(1, 11):
        for parameter, their in zip(parameters, theirs, strict=True):
            parameter.grad[...] = 0.4 * step**-0.5 * rng.standard_normal(parameter.value.shape)
            their.grad = torch.tensor(parameter.grad)
        adamw.param_groups[0]["lr"] = lr = learning_rate(step, 10, 0.1, warmup=3)
        their_norm = clip_grad_norm_(theirs, CLIP)
        adamw.step()
        average.step(theirs)
        norm = update_parameters(flat, ours, our_average, step, lr, CLIP, average.cur_decay_value)
        clipped.add(bool(norm > CLIP))
        agree(f"norm of the gradient, {dtype}", norm, their_norm, VALUES[dtype])
        agree(f"AdamW's parameters, {dtype}", flat.value, joined(theirs), VALUES[dtype])
        agree(f"moving average, {dtype}", our_average, joined(average.shadow_params), VALUES[dtype])
    assert clipped == {True, False}
    for name, moment in (("exp_avg", ours.first), ("exp_avg_sq", ours.second)):
        agree(f"AdamW's moments, {dtype}", moment, joined(adamw.state[p][name] for p in theirs), VALUES[dtype])


@pytest.mark.parametrize("shape", [(12, 5), (6, 6), (3, 40)])
def test_ten_steps_of_muon(shape, agree, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor)  # in which theirs makes matrices orthogonal
    rng = np.random.default_rng(0)
    model = Linear(rng, shape[1], shape[0], bias=False)
    model.weight.value = rng.standard_normal(shape)
    flat = Flat(model.parameters())
    ours = Muon(flat, [model], replace(STAGE, weight_decay=0.1, muon_rate=2.0))
    their = torch.nn.Parameter(torch.tensor(model.weight.value))
    muon = torch.optim.Muon([their], lr=2.0 * 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(1, 11):
        model.weight.grad[...] = rng.standard_normal(shape)
        their.grad = torch.tensor(model.weight.grad)
        update_parameters(flat, ours, flat.value.copy(), step, 0.01)
        muon.step()
        agree("Muon's parameters, float64", model.weight.value, their.detach(), VALUES["float64"])


def joined(tensors):
    return np.concatenate([tensor.detach().numpy().reshape(-1) for tensor in tensors])


def test_the_average_follows_at_diffusers_pace(agree):
    average = EMAModel([torch.nn.Parameter(torch.zeros(1))], decay=0.99)
    for step in range(1, 2000, 7):  # at its first step theirs copies the parameters
        agree("decay of the average", average_decay(step, 0.99), average.get_decay(step + 1), VALUES["float64"])


@pytest.mark.parametrize(("warmup", "falling", "floor"), [(20, 0.2, 0.02), (20, 0.5, 0.0), (1, 1 / 3, 0.1)])
def test_the_learning_rate_rises_stays_and_falls(warmup, falling, floor, agree):
    adamw = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=3e-3)
    length = round(falling * (100 - warmup))
    pieces = [lr_scheduler.LinearLR(adamw, 1 / warmup, 1.0, total_iters=warmup - 1),
              lr_scheduler.ConstantLR(adamw, 1.0, total_iters=0),
              lr_scheduler.LinearLR(adamw, 1.0, floor, total_iters=length)]
    schedule = lr_scheduler.SequentialLR(adamw, pieces, milestones=[warmup, 100 - length])
    for step in range(100):
        ours = learning_rate(step, 100, 3e-3, warmup, falling, floor)
        agree("learning rate", ours, schedule.get_last_lr()[0], 1e-9)
        adamw.step()
        schedule.step()


def test_weights_by_snr_are_those_of_diffusers(agree):
    schedule, t = Schedule(), np.arange(1000)
    noise = diffusers.DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    snr = compute_snr(noise, torch.from_numpy(t)).numpy()
    for kind, share in (("epsilon", snr), ("v_prediction", snr + 1), ("sample", 1.0)):
        ours = min_snr_weight(kind, *schedule.at(t), gamma=5.0)
        agree("min-SNR weights", ours, np.minimum(snr, 5.0) / share, VALUES["float32"])
        ours = sqrt_snr_weight(kind, *schedule.at(t))
        agree("√SNR weights", ours, np.sqrt(snr) / share, VALUES["float32"])

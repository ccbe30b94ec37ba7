"""Every sampler, step by step, is diffusers' scheduler of the same name."""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import nullcontext
from itertools import product
from unittest import mock

import diffusers
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sampler_cases import answer, follow, settings

from minidiff.diffusion.sampler_table import SAMPLERS
from minidiff.diffusion.scheduler import Scheduler
from minidiff.diffusion.scheduler_config import from_config, sampler_of, to_config
from minidiff.diffusion.spacing import RATIOS

from .compare import VALUES, in_double

STEPS = (1, 2, 3, 7, 20)
BY_SAMPLER = defaultdict(list)
for config in settings():
    BY_SAMPLER[sampler_of(config)].append(config)


def theirs(config, n, start, noise):
    """Their run in float64: x after each step of their own, and the times they ask at."""
    # Rounding flow's sigmas to float32 is part of the sampler: α = 1 − σ is 1.3 % off at its start.
    with nullcontext() if "use_flow_sigmas" in config else in_double():
        return theirs_as_it_is(config, n, start, noise)


def theirs_as_it_is(config, n, start, noise):
    scheduler = getattr(diffusers, config["_class_name"])(**{k: v for k, v in config.items() if k[0] != "_"})
    scheduler.set_timesteps(n)
    draws = iter(noise)
    x, path = torch.from_numpy(start) * scheduler.init_noise_sigma, []
    module = sys.modules[type(scheduler).__module__]
    with mock.patch.object(module, "randn_tensor", lambda *_, **__: torch.from_numpy(next(draws)), create=True):
        for t in scheduler.timesteps:
            output = answer(scheduler.scale_model_input(x, t).numpy(), float(t))
            x = scheduler.step(torch.from_numpy(output), t, x, return_dict=False)[0]
            path.append(x.numpy())
    return path, scheduler.timesteps.tolist()


@pytest.mark.parametrize("sampler", BY_SAMPLER)
def test_every_step_is_that_of_diffusers(sampler, agree):
    rng = np.random.default_rng(0)
    start, noise = rng.standard_normal((2, 2, 2, 3)), rng.standard_normal((30, 2, 2, 2, 3))
    calls = SAMPLERS[sampler].calls
    for config, n in product(BY_SAMPLER[sampler], STEPS):
        if n == 1 and stays_where_it_is(config):
            continue
        flow = "use_flow_sigmas" in config
        expected, times = theirs(config, n, start, noise)
        ours, asked = follow(from_config(config), n, start, noise.__getitem__)
        assert_allclose(asked, times, rtol=0, atol=1e-9, err_msg=f"{config}")
        if calls > 1:  # every call of the network is a step there
            expected = [*expected[calls - 1 :: calls], expected[-1]]
        for x, other in zip(ours, expected, strict=True):
            agree(sampler + (", flow" if flow else ""), x, other, 2e-5 if flow else VALUES["float64"])


@pytest.mark.parametrize("sampler", ["pndm", "ddim", "euler", "dpm++", "unipc"])
def test_a_run_from_the_middle_is_that_of_diffusers(sampler, agree):
    """As image to image does it: the times from n - n strength on, and x with the noise of the first of them."""
    rng = np.random.default_rng(0)
    image, noise = rng.standard_normal((2, 2, 2, 2, 3))
    scheduler = Scheduler(sampler)
    for strength in (0.3, 0.9, 0.1):
        theirs, asked = getattr(diffusers, scheduler.entry.diffusers)(**fields(to_config(scheduler))), []
        theirs.set_timesteps(10)
        times = theirs.timesteps[10 - int(10 * strength):]
        if hasattr(theirs, "set_begin_index"):
            theirs.set_begin_index(10 - int(10 * strength))
        x = theirs.add_noise(torch.from_numpy(image), torch.from_numpy(noise), times[:1])
        for t in times:
            output = answer(theirs.scale_model_input(x, t).numpy(), float(t))
            x = theirs.step(torch.from_numpy(output), t, x, return_dict=False)[0]
        steps = scheduler.steps(10, strength)

        def predict(x, time, asked=asked):
            asked.append(time.t)
            return answer(x, time.t)

        *_, last = scheduler.sample(scheduler.denoiser(predict), scheduler.start(noise, steps, image), steps)
        assert_allclose(asked, times.tolist(), rtol=0, atol=1e-3)
        alpha = steps[-1].end.alpha if scheduler.entry.family == RATIOS else 1.0
        agree(f"{sampler}, from the middle", last.x / alpha, x.numpy(), VALUES["float32"])


def fields(config):
    return {name: value for name, value in config.items() if name[0] != "_"}


def stays_where_it_is(config):
    """UniPC's only step ends at the smallest of its own Karras sigmas there: that is where it starts."""
    return (config["_class_name"].startswith("UniPC") and config.get("use_karras_sigmas")
            and config.get("final_sigmas_type") == "sigma_min")

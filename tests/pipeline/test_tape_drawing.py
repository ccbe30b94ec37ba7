"""Drawing on a CPU by a UNet that is recorded on a tape: the images are the same, and recording has to pay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_pipeline import STABLE_DIFFUSION, WORDS, tiny_pipeline, unet_calls

from minidiff.backend import without_graphs
from minidiff.nn import threads
from minidiff.ops import plain
from minidiff.pipeline.predict import LEAST_CALLS


def states(pipe, steps=LEAST_CALLS, prompts=WORDS, **options):
    return [array for moment in pipe.stream(prompts, num_inference_steps=steps, seed=3, **options)
            if moment.name == "sampling" for array in (moment.value.x, moment.value.denoised)]


@pytest.mark.parametrize(("scheduler", "options"), [
    ({}, {}), ({"prediction_type": "sample"}, {"guidance_scale": 1.0}), ({}, {"sampler": "heun"}),
    ({}, {"guidance_interval": (0.5, 4.0)})])
def test_a_recorded_unet_draws_the_same(scheduler, options, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    pipe = tiny_pipeline(STABLE_DIFFUSION | scheduler)
    recorded = states(pipe, **options)
    with without_graphs():
        for found, expected in zip(recorded, states(pipe, **options), strict=True):
            assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_as_it_is_written_it_is_recorded_too(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    pipe = tiny_pipeline()
    with plain():
        recorded = states(pipe)
        with without_graphs():
            assert_allclose(recorded, states(pipe), rtol=1e-3, atol=1e-3)


def test_parts_of_a_batch_are_recorded_by_threads(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    prompts = [WORDS[0]] * threads.LEAST_RECORDED
    expected = states(tiny_pipeline(), prompts=prompts)
    monkeypatch.setattr(threads, "cores", lambda: 1)
    assert_allclose(states(tiny_pipeline(), prompts=prompts), expected, rtol=1e-3, atol=1e-3)


def test_the_unet_is_called_once_for_each_drawing_and_always_if_that_is_soon_done(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    pipe, calls = tiny_pipeline(), unet_calls(monkeypatch)
    before = states(pipe)
    assert len(calls) == 1
    pipe.unet.conv_out.bias.value = pipe.unet.conv_out.bias.value + 1
    after = states(pipe)
    assert len(calls) == 2 and not np.allclose(before[-1], after[-1], rtol=0.1, atol=0.1)
    states(pipe, steps=LEAST_CALLS - 1)
    assert len(calls) == 2 + LEAST_CALLS - 1

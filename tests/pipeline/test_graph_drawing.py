"""Drawing on a GPU by a recorded UNet: the same bits as kernel by kernel, for what keeps answers too. Needs a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tiny_pipeline import STABLE_DIFFUSION, WORDS, tiny_pipeline, unet_calls

from minidiff.backend import gpu_available, to_device, to_host, without_graphs

pytestmark = pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")


def on_gpu(pipe):
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        for parameter in part.parameters():
            parameter.value = to_device(parameter.value, "cuda")
    return pipe


def states(pipe, **options):
    return [to_host(array) for moment in pipe.stream(WORDS, num_inference_steps=4, **options)
            if moment.name == "sampling" for array in (moment.value.x, moment.value.denoised)]


@pytest.mark.parametrize(("scheduler", "options"), [
    ({}, {}), ({"prediction_type": "sample"}, {"guidance_scale": 1.0}), ({}, {"sampler": "heun"}),
    ({}, {"guidance_interval": (0.5, 4.0)})])
def test_a_recorded_unet_draws_the_same_bits(scheduler, options):
    pipe = on_gpu(tiny_pipeline(STABLE_DIFFUSION | scheduler))
    recorded = states(pipe, **options)
    with without_graphs():
        for found, expected in zip(recorded, states(pipe, **options), strict=True):
            assert_array_equal(found, expected)


def test_the_unet_is_called_twice_for_each_batch_size_and_anew_for_each_drawing(monkeypatch):
    pipe, calls = on_gpu(tiny_pipeline()), unet_calls(monkeypatch)
    before = states(pipe)
    assert len(calls) == 2
    pipe.unet.conv_out.bias.value = pipe.unet.conv_out.bias.value + 1
    after = states(pipe)
    assert len(calls) == 4 and not np.allclose(before[-1], after[-1], rtol=0.1, atol=0.1)


def test_images_are_those_of_a_cpu():
    own, gpu = tiny_pipeline()(WORDS, seed=3), on_gpu(tiny_pipeline())(WORDS, seed=3)
    for one, other in zip(own, gpu, strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1

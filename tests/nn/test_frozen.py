"""Layers with frozen weights: the same outputs and gradients of their inputs, no others, and nothing kept for them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops
from minidiff.nn.layers import Conv2d, Downsample, Linear, Upsample

LAYERS = {
    "linear": (lambda rng: Linear(rng, 8, 6), (2, 5, 8)),
    "linear without bias": (lambda rng: Linear(rng, 8, 6, bias=False), (2, 5, 8)),
    "convolution": (lambda rng: Conv2d(rng, 8, 6), (8, 9, 10, 8)),  # enough tiles for Winograd's algorithm
    "5 x 5": (lambda rng: Conv2d(rng, 8, 6, kernel=5), (2, 7, 6, 8)),
    "1 x 1": (lambda rng: Conv2d(rng, 8, 6, kernel=1), (2, 4, 6, 8)),
    "even": (lambda rng: Conv2d(rng, 8, 6, kernel=2), (2, 4, 6, 8)),
    "padded": (lambda rng: Conv2d(rng, 8, 6, padding=((0, 2), (1, 0))), (2, 4, 6, 8)),
    "downsample": (lambda rng: Downsample(rng, 8), (2, 4, 6, 8)),
    "downsample, odd sizes": (lambda rng: Downsample(rng, 8), (2, 5, 7, 8)),
    "downsample as in an autoencoder": (lambda rng: Downsample(rng, 8, padding=((0, 1), (0, 1))), (2, 4, 6, 8)),
    "patches": (lambda rng: Conv2d(rng, 8, 6, kernel=2, stride=2, padding=((0, 0), (0, 0))), (2, 5, 6, 8)),
    "stride 3": (lambda rng: Conv2d(rng, 8, 6, kernel=5, stride=3), (2, 7, 11, 8)),
    "upsample": (lambda rng: Upsample(rng, 8), (2, 4, 6, 8)),
}


def results(layer, x):
    y, back = layer(x)
    dy = np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    return y, back(dy)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_frozen_layers_have_the_same_outputs_and_gradients_of_inputs(name, fast, rng):
    build, shape = LAYERS[name]
    layer, x = build(rng), rng.standard_normal(shape)
    with ops.fast(fast):
        expected = results(layer, x)
        for parameter in layer.parameters():
            parameter.grad, parameter.frozen = None, True
        y, dx = results(layer, x)
    assert_array_equal(y, expected[0])
    assert_allclose(dx, expected[1], rtol=1e-9, atol=1e-9)
    assert all(parameter.grad is None for parameter in layer.parameters())


@pytest.mark.parametrize("name", LAYERS)
def test_no_frozen_layer_runs_the_backward_pass_of_an_op_which_would_compute_its_weights_gradient(name, rng):
    build, shape = LAYERS[name]
    layer = build(rng)
    for parameter in layer.parameters():
        parameter.frozen = True
    with ops.no_grad():  # inside, the backward pass of an op is one that raises
        y, back = layer(rng.standard_normal(shape))
    assert np.any(back(y))


@pytest.mark.parametrize("build", [lambda rng: Conv2d(rng, 8, 8), lambda rng: Downsample(rng, 8),
                                   lambda rng: Upsample(rng, 8)])
def test_a_frozen_convolution_keeps_no_windows(build, rng):
    layer, x = build(rng), rng.standard_normal((2, 32, 32, 8))

    def kept():
        tracemalloc.start()
        result = layer(x)
        memory, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return memory if result else 0

    with ops.plain():
        learned = kept()
        for parameter in layer.parameters():
            parameter.frozen = True
        assert kept() < 0.2 * learned

"""The layers and blocks: gradients, precision, fresh weights."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff import ops
from minidiff.nn.clip_layers import CLIPAttention, CLIPLayer
from minidiff.nn.layers import Conv2d, Downsample, Embedding, GroupNorm, LayerNorm, Linear, Upsample
from minidiff.nn.residual import ResBlock
from minidiff.nn.transformer import Attention, FeedForward, SelfAttention, SpatialTransformer, TransformerBlock

MAP, TOKENS, CONTEXT, TIME = (2, 4, 6, 8), (2, 5, 8), (2, 3, 7), (2, 10)
LAYERS = {
    "linear": (lambda rng: Linear(rng, 8, 6), [TOKENS]),
    "linear without bias": (lambda rng: Linear(rng, 8, 6, bias=False), [TOKENS]),
    "convolution": (lambda rng: Conv2d(rng, 8, 6), [MAP]),
    "group norm": (lambda rng: GroupNorm(8, 4, 1e-5), [MAP]),
    "layer norm": (lambda rng: LayerNorm(8), [TOKENS]),
    "downsample": (lambda rng: Downsample(rng, 8), [MAP]),
    "upsample": (lambda rng: Upsample(rng, 8), [MAP]),
    "residual block": (lambda rng: ResBlock(rng, 8, 6, 2, 1e-5), [MAP]),
    "residual block with time": (lambda rng: ResBlock(rng, 8, 8, 4, 1e-5, time_features=10), [MAP, TIME]),
    "attention": (lambda rng: Attention(rng, 8, 7, heads=4), [TOKENS, CONTEXT]),
    "self-attention": (lambda rng: SelfAttention(rng, 8, heads=2, bias=True), [TOKENS]),
    "feed-forward": (lambda rng: FeedForward(rng, 8), [TOKENS]),
    "transformer block": (lambda rng: TransformerBlock(rng, 8, 7, heads=2), [TOKENS, CONTEXT]),
    "spatial transformer": (lambda rng: SpatialTransformer(rng, 8, 7, 2, groups=4, depth=2), [MAP, CONTEXT]),
    "CLIP attention": (lambda rng: CLIPAttention(rng, 8, heads=2, causal=True), [TOKENS]),
    "CLIP layer": (lambda rng: CLIPLayer(rng, 8, 12, 4, ops.quick_gelu, 1e-5, causal=False), [TOKENS]),
}


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_gradients(name, rng):
    build, shapes = LAYERS[name]
    layer = in_double(build(rng), rng)
    assert_gradients_are_central_differences(layer, layer, [rng.standard_normal(shape) for shape in shapes], rng)
    assert_every_parameter_has_a_gradient(layer)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_single_precision_and_their_arguments(name, rng):
    build, shapes = LAYERS[name]
    layer = build(rng)
    arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
    for array in (*arrays, *(p.value for p in layer.parameters())):
        array.setflags(write=False)
    y, back = layer(*arrays)
    dy = rng.standard_normal(y.shape, np.float32)
    dy.setflags(write=False)
    dinputs = back(dy)
    for array in (y, *(dinputs if isinstance(dinputs, tuple) else (dinputs,)), *(p.grad for p in layer.parameters())):
        assert array.dtype == np.float32


def test_attention_to_keys_and_values_that_were_passed_in_has_no_backward_pass_and_says_why(rng):
    layer = Attention(rng, 8, 7, heads=4)
    x, context = rng.standard_normal(TOKENS), rng.standard_normal(CONTEXT)
    y, back = layer(x, {layer: layer.read(context)[0]})
    assert_array_equal(y, layer(x, context)[0])
    with pytest.raises(RuntimeError, match="keys and values were passed in"):
        back(y)


def test_embedding_adds_up_the_gradients_of_a_repeated_id(rng):
    layer = Embedding(rng, 9, 4, std=0.02)
    y, back = layer(np.array([[3, 3, 5]]))
    assert back(np.ones_like(y)) is None
    assert_array_equal(layer.weight.grad[:, 0], [0, 0, 0, 2, 0, 1, 0, 0, 0])


def test_fresh_weights_are_uniform_within_one_over_the_root_of_the_fan_in(rng):
    weight = Linear(rng, 100, 300).weight.value
    assert 0.0999 < weight.max() <= 0.1 and -0.1 <= weight.min() < -0.0999
    assert abs(weight.std() - 0.1 / np.sqrt(3)) < 1e-3
    assert np.abs(Conv2d(rng, 25, 8, kernel=2).weight.value).max() <= 0.1

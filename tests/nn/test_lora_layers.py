"""LoRA layers: exact gradients, an update of zero to begin with, and nothing computed for frozen weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff import ops
from minidiff.nn.layers import Linear
from minidiff.nn.lora import LoRALinear, add_lora, lora_layers, without_factors
from minidiff.nn.transformer import SpatialTransformer, TransformerBlock

RANK, ALPHA = 3, 1.5
TOKENS, CONTEXT = (2, 5, 8), (2, 4, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def block(rng):
    return TransformerBlock(rng, 8, 7, heads=2)


def inputs(rng, dtype=np.float64):
    return [rng.standard_normal(shape).astype(dtype) for shape in (TOKENS, CONTEXT)]


def test_the_gradients_through_a_whole_transformer_block_are_central_differences(block, rng):
    factors = add_lora(block, RANK, ALPHA, rng)
    in_double(block, rng)
    assert_gradients_are_central_differences(block, block, inputs(rng), rng)
    assert_every_parameter_has_a_gradient(factors)
    assert len(factors.parameters()) == 2 * 4 * 2  # A and B, four layers, two attentions


def test_the_output_is_that_of_w_plus_alpha_over_rank_b_a(rng):
    linear = in_double(Linear(rng, 6, 4), rng)
    x = rng.standard_normal((2, 5, 6))
    layer = in_double(LoRALinear(rng, linear, RANK, ALPHA), rng)
    weight = linear.weight.value + ALPHA / RANK * layer.lora_B.weight.value @ layer.lora_A.weight.value
    assert_allclose(layer(x)[0], ops.linear(x, weight, linear.bias.value)[0], rtol=1e-12, atol=1e-12)


def test_the_first_output_is_exactly_that_of_the_model_without_factors(block, rng):
    arrays = inputs(rng, np.float32)
    before, _ = block(*arrays)
    add_lora(block, RANK, ALPHA, rng)
    assert_array_equal(block(*arrays)[0], before)


def test_a_model_can_be_asked_what_it_computed_before_it_learned(block, rng):
    arrays = inputs(rng, np.float32)
    before, _ = block(*arrays)
    for parameter in add_lora(block, RANK, ALPHA, rng).parameters():
        parameter.value = rng.standard_normal(parameter.value.shape, np.float32)
    learned, _ = block(*arrays)
    with without_factors(block):
        assert_array_equal(block(*arrays)[0], before)
    assert_array_equal(block(*arrays)[0], learned)
    assert np.abs(learned - before).max() > 0.1 and len(lora_layers(block)) == 2 * 4


def test_a_is_uniform_within_one_over_the_root_of_the_inputs_and_b_is_zero(rng):
    layer = LoRALinear(rng, Linear(rng, 100, 50), 300, 300)
    a = layer.lora_A.weight.value
    assert a.shape == (300, 100) and 0.0999 < a.max() <= 0.1 and abs(a.std() - 0.1 / np.sqrt(3)) < 1e-3
    assert_array_equal(layer.lora_B.weight.value, np.zeros((50, 300), np.float32))


def test_frozen_parameters_get_no_gradient_and_keep_their_names(rng):
    model = SpatialTransformer(rng, 8, 7, 2, groups=4)
    before = {name: p.value.copy() for name, p in model.named_parameters()}
    factors = {id(p) for p in add_lora(model, RANK, ALPHA, rng).parameters()}
    y, back = model(rng.standard_normal((2, 4, 6, 8)), rng.standard_normal(CONTEXT))
    back(y)
    own = {name: p for name, p in model.named_parameters() if id(p) not in factors}
    assert own.keys() == before.keys()
    for name, parameter in own.items():
        assert parameter.grad is None
        assert_array_equal(parameter.value, before[name])
    assert "transformer_blocks.0.attn2.to_out.0.lora_A.weight" in dict(model.named_parameters())


@pytest.mark.parametrize("frozen", [True, False])
def test_no_product_is_computed_for_a_frozen_weight(frozen, rng, monkeypatch):
    shapes, module = [], sys.modules["minidiff.ops.linear"]
    multiply = module.matmul
    monkeypatch.setattr(module, "matmul", lambda *pair: (shapes.append((y := multiply(*pair)).shape), y)[1])
    layer, x = Linear(rng, 7, 6), rng.standard_normal((2, 5, 7))
    if frozen:
        layer = LoRALinear(rng, layer, RANK, ALPHA)
    with ops.plain():
        y, back = layer(x)
        back(y)
    assert shapes.count((10, 7)) == (2 if frozen else 1)  # dx of the weight, and dx of the factors
    assert shapes.count((6, 7)) == (0 if frozen else 1)
    assert shapes.count((RANK, 7)) == shapes.count((6, RANK)) == frozen

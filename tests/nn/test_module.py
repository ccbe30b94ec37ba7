"""Module, apply, chain, residual, recompute, frozen and replica."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import in_double

from minidiff import ops
from minidiff.nn.gradients import gradients_together
from minidiff.nn.layers import LayerNorm, Linear
from minidiff.nn.module import Module, Parameter, apply, chain, frozen, identity, recompute, residual
from minidiff.nn.residual import ResBlock
from minidiff.nn.transformer import Attention

MAP, TOKENS, TIME = (2, 4, 6, 8), (2, 5, 8), (2, 10)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def block(rng):
    return in_double(ResBlock(rng, 8, 6, 2, 1e-5, time_features=10), rng)


@pytest.fixture
def inputs(rng):
    return rng.standard_normal(MAP), rng.standard_normal(TIME)


def gradients(module):
    return {name: p.grad for name, p in module.named_parameters()}


def test_parameter_names_are_attribute_paths_and_functions_add_none(block):
    assert [name for name, _ in block.named_parameters()] == [
        f"{layer}.{part}" for layer in ("norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut")
        for part in ("weight", "bias")]
    attention = Attention(None, 4, 3, heads=2)
    assert [name for name, _ in attention.named_parameters()] == [
        "to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight", "to_out.0.bias"]


def test_gradients_add_up_until_they_are_cleared(block, inputs):
    y, back = block(*inputs)
    back(np.ones_like(y))
    once = {name: grad.copy() for name, grad in gradients(block).items()}
    arrays = gradients(block)
    back(np.ones_like(y))
    for name, grad in gradients(block).items():
        assert grad is arrays[name]
        assert_allclose(grad, 2 * once[name], rtol=1e-12, atol=1e-12)


def test_gradients_together_are_those_one_by_one_and_come_at_the_end(block, inputs):
    y, backward = block(*inputs)
    for _ in range(2):
        backward(np.ones_like(y))
    expected = {name: grad.copy() for name, grad in gradients(block).items()}
    for parameter in block.parameters():
        parameter.grad[...] = 0
    with gradients_together():
        for _ in range(2):
            backward(np.ones_like(y))
        assert not any(grad.any() for grad in gradients(block).values())
    for name, grad in gradients(block).items():
        assert_array_equal(grad, expected[name])


def test_apply_returns_the_gradients_of_arrays_and_adds_those_of_parameters(rng):
    weight = Parameter(rng.standard_normal((3, 4)).astype(np.float32))
    x = rng.standard_normal((5, 4))
    y, back = apply(ops.linear, x, weight, None)
    assert y.dtype == np.float64  # the parameter follows the array
    assert_allclose(back(np.ones_like(y)), np.ones_like(y) @ weight.value.astype(np.float64), rtol=1e-12, atol=1e-12)
    assert weight.grad.dtype == np.float32
    assert_allclose(weight.grad, np.ones_like(y).T @ x, rtol=1e-6, atol=1e-6)


def test_apply_returns_the_whole_gradient_of_an_op_with_one_array(rng):
    x = rng.standard_normal((3, 2))
    (y, back), (expected, expected_back) = apply(ops.silu, x), ops.silu(x)
    assert_array_equal(y, expected)
    assert_array_equal(back(x), expected_back(x))


def test_the_gradient_of_a_scalar_is_an_array_that_accumulates_in_place(rng):
    scale = Parameter(np.array(0.5))
    text, image = rng.standard_normal((2, 3, 4))
    _, back = apply(ops.contrastive, text, image, scale)
    back(1.0)
    grad, once = scale.grad, float(scale.grad)
    back(1.0)
    assert isinstance(grad, np.ndarray) and scale.grad is grad
    assert_allclose(grad, 2 * once, rtol=1e-12, atol=0)


def test_chain_runs_backward_in_reverse():
    def times(factor):
        return lambda x: ([*x, factor], lambda dy: [*dy, factor])

    y, back = chain([], times(1), times(2), times(3))
    assert y == [1, 2, 3]
    assert back([]) == [3, 2, 1]
    assert chain("x")[1]("dy") == "dy"


def test_residual_adds_the_input_to_the_output_of_the_layers(rng):
    layer, norm = in_double(Linear(rng, 8, 8), rng), in_double(LayerNorm(8), rng)
    x, dy = rng.standard_normal((2, *TOKENS))
    y, back = residual(x, norm, layer)
    inner, inner_back = chain(x, norm, layer)
    assert_allclose(y, x + inner, rtol=1e-12, atol=1e-12)
    assert_allclose(back(dy), dy + inner_back(dy), rtol=1e-12, atol=1e-12)


def test_identity_returns_its_argument_and_its_gradient_as_they_are(rng):
    x = rng.standard_normal(TOKENS)
    y, back = identity(x)
    assert y is x and back(x) is x


def test_recompute_gives_the_same_values_with_less_memory(block, rng):
    x, time_emb = rng.standard_normal((2, 32, 32, 8)), rng.standard_normal(TIME)

    block(x, time_emb)  # imports what is imported late

    def run(layer):
        for parameter in block.parameters():
            parameter.grad = None
        tracemalloc.start()
        y, back = layer(x, time_emb)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept, [y, *back(np.cos(y)), *gradients(block).values()]

    (plain_memory, plain), (memory, recomputed) = run(block), run(recompute(block))
    for one, other in zip(plain, recomputed, strict=True):
        assert_array_equal(one, other)
    assert memory < 0.4 * plain_memory


def test_a_frozen_layer_gives_the_same_output_and_no_gradients(block, inputs):
    (y, back), (expected, _) = frozen(block)(*inputs), block(*inputs)
    assert_array_equal(y, expected)
    assert back(np.ones_like(y)) is None
    assert all(parameter.grad is None for parameter in block.parameters())


def test_replica_shares_values_and_has_its_own_gradients(block, inputs):
    y, back = block(*inputs)
    back(np.ones_like(y))
    expected = {name: grad.copy() for name, grad in gradients(block).items()}
    other = block.replica()
    assert list(gradients(other)) == list(expected)
    for mine, theirs in zip(block.parameters(), other.parameters(), strict=True):
        assert theirs is not mine and theirs.value is mine.value and theirs.grad is None
    block.conv1.weight.value *= 2
    assert_array_equal(other(*inputs)[0], block(*inputs)[0])
    _, back = other(*inputs)
    back(np.ones_like(y))
    for name, grad in gradients(block).items():
        assert_array_equal(grad, expected[name])


def test_gradients_of_replicas_on_threads_add_up_to_those_of_the_whole_batch(block, rng):
    x, time_emb = rng.standard_normal((6, 4, 6, 8)), rng.standard_normal((6, 10))
    y, back = block(x, time_emb)
    dx, _ = back(y)
    replicas = [block.replica() for _ in range(3)]

    def work(replica, part):
        y, back = replica(x[part], time_emb[part])
        return back(y)[0]

    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(work, replicas, [slice(0, 2), slice(2, 4), slice(4, 6)]))
    assert_allclose(np.concatenate(parts), dx, rtol=1e-10, atol=1e-12)
    for name, grad in gradients(block).items():
        assert_allclose(sum(gradients(replica)[name] for replica in replicas), grad, rtol=1e-10, atol=1e-10)


def test_no_grad_drops_backward_and_leaves_gradients_alone(block, inputs):
    with ops.no_grad():
        y, back = block(*inputs)
    with pytest.raises(RuntimeError, match="no_grad"):
        back(y)
    assert set(gradients(block).values()) == {None}
    assert_array_equal(y, block(*inputs)[0])


def test_activations_are_freed_with_backward_and_without_the_garbage_collector(block, rng):
    seen = []

    class Watch(Module):
        def __call__(self, x):
            seen.append(weakref.ref(x))
            return block.norm1(x)

    gc.disable()
    try:
        y, back = chain(rng.standard_normal(MAP), lambda x: (x * 2, lambda dy: dy * 2), Watch())
        back(y)
        assert seen[0]() is not None
        del back
        assert seen[0]() is None
    finally:
        gc.enable()

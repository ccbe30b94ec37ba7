"""What single kernels of a CPU can get wrong: blocks of many sizes, sums in half precision, orders of memory."""

from __future__ import annotations

import tracemalloc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.kernels.cpu import attention, embedding, layer_norm


@pytest.mark.parametrize("block_scores", [1, 100, 250])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_same_in_blocks(rng, monkeypatch, block_scores, causal):
    q, k, v = rng.normal(size=(2, 7, 6)), rng.normal(size=(2, 9, 6)), rng.normal(size=(2, 9, 6))
    dy = rng.normal(size=q.shape)
    y, backward = attention.attention(q, k, v, heads=3, causal=causal)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(attention, "BLOCK", block_scores)
    y, backward = attention.attention(q, k, v, heads=3, causal=causal)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_attention_keeps_the_scaled_queries_and_not_the_queries_themselves(rng):
    q, (k, v) = rng.normal(size=(2, 7, 6)), rng.normal(size=(2, 2, 9, 6))
    queries = weakref.ref(q)
    kept = attention.attention(q, k, v, heads=3)
    del q
    assert kept and queries() is None


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_same_with_scores_that_are_computed_again(rng, monkeypatch, causal):
    q, k, v, dy = (rng.standard_normal((2, 256, 16), np.float32) for _ in range(4))

    def results():
        tracemalloc.start()
        y, backward = attention.attention(q, k, v, heads=4, causal=causal)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return [y, *backward(dy)], kept

    expected, kept = results()
    monkeypatch.setattr(attention, "LEAST_RECOMPUTED", 0)
    found, less = results()
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)
    assert kept > 2 * 4 * 256 * 256 * 4 > 10 * less


def test_scores_of_attention_may_be_too_large_for_half_precision(rng):
    q = k = np.full((1, 2, 4), 200, np.float16)  # each score is 80,000
    v = np.array([[[1, 2, 3, 4], [3, 4, 5, 6]]], np.float16)
    y, backward = attention.attention(q, k, v, heads=1)
    assert_array_equal(y[0, 0], [2, 3, 4, 5])
    assert all(gradient.dtype == np.float16 and np.isfinite(gradient).all() for gradient in backward(v))


@pytest.mark.parametrize("block", [1, 20])
def test_layer_norm_is_the_same_in_blocks(rng, monkeypatch, block):
    (x, dy), (weight, bias) = rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(2, 6))
    y, backward = layer_norm.layer_norm(x, weight, bias)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(layer_norm, "BLOCK", block)
    y, backward = layer_norm.layer_norm(x, weight, bias)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_the_gradient_of_an_embedding_may_have_any_order_in_memory(rng):
    table, ids, dy = rng.normal(size=(5, 3)), np.array([0, 2, 2, 4]), rng.normal(size=(4, 3))
    _, backward = embedding.embedding(table, ids)
    found, _ = backward(np.asfortranarray(dy))
    assert_array_equal(found, [dy[0], 0 * dy[0], dy[1] + dy[2], 0 * dy[0], dy[3]])


def test_an_embedding_adds_up_gradients_in_half_precision_beyond_its_whole_numbers():
    _, backward = embedding.embedding(np.zeros((2, 1), np.float16), np.ones((1, 4096), int))
    assert_array_equal(backward(np.ones((1, 4096, 1), np.float16))[0], [[0], [4096]])

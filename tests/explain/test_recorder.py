"""A recorder sees what modules return, changes nothing that they compute, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
from explained_page import SEED
from tiny_pipeline import WORDS, tiny_pipeline

from minidiff import ops
from minidiff.explain.recorder import named_modules, recording
from minidiff.nn.transformer import Attention
from minidiff.ops.attention import merge_heads, split_heads


def test_modules_are_named_like_their_parameters():
    unet = tiny_pipeline().unet
    named = dict(named_modules(unet, "unet"))
    owners = {f"unet.{name}".rpartition(".")[0] for name, _ in unet.named_parameters()}
    assert owners <= {*named}
    assert len({*named.values()}) == len(named) == len({*unet.modules()})


def test_a_recorder_reports_what_was_returned_and_the_weights_that_made_it(rng):
    attention = Attention(rng, 8, 6, heads=2)
    x, context = rng.standard_normal((2, 5, 8)), rng.standard_normal((2, 3, 6))
    expected, _ = attention(x, context)
    with recording({"a": attention, "a.to_v": attention.to_v}) as calls:
        y, backward = attention(x, context)
        backward(y)
    assert [call.name for call in calls] == ["a.to_v", "a"]
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(calls[1].y, y)
    assert calls[0].weights is None and calls[1].weights.shape == (2, 2, 5, 3)
    mixed = merge_heads(calls[1].weights @ split_heads(calls[0].y, 2))
    np.testing.assert_allclose(attention.to_out[0](mixed)[0], y, rtol=1e-12, atol=1e-12)
    assert all(call.seconds > 0 for call in calls)


def test_what_is_reported_is_a_copy_as_later_layers_add_in_place(rng):
    attention = Attention(rng, 8, 6, heads=2)
    with recording({"a": attention}) as calls:
        y, _ = attention(rng.standard_normal((1, 4, 8)), rng.standard_normal((1, 3, 6)))
    before = y.copy()
    y += 1
    np.testing.assert_array_equal(calls[0].y, before)


def test_a_recorder_leaves_classes_and_kernels_as_they_were(rng):
    attention = Attention(rng, 8, 6, heads=2)
    attention(rng.standard_normal((1, 4, 8)), rng.standard_normal((1, 3, 6)))  # kernels are loaded by the first call
    before = [list(op.kernels["cpu"]) for op in (ops.attention, ops.softmax)]
    with pytest.raises(ZeroDivisionError), recording({"a": attention}):
        raise ZeroDivisionError
    assert type(attention) is Attention
    assert [op.kernels["cpu"] for op in (ops.attention, ops.softmax)] == before


def test_the_recorded_run_draws_the_image_of_the_pipeline(explained, run):
    [image] = explained.pipe(WORDS[0], seed=SEED)
    assert np.abs(run.image.astype(int) - np.asarray(image)).max() <= 1


def test_every_pixel_shares_its_attention_among_all_tokens(run):
    for step in run.steps:
        assert len(step.weights) == len(run.pipe.unet.cross_attentions)
        for weights in step.weights.values():
            np.testing.assert_allclose(weights.sum(axis=-1, dtype=np.float64), 1, rtol=0, atol=0.01)  # float16


def test_the_text_encoder_attends_to_earlier_tokens_only(run):
    assert len(run.reading) == run.pipe.text_encoder.config.num_hidden_layers
    for weights in run.reading.values():
        assert np.triu(weights, 1).max() == 0
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6, atol=0)

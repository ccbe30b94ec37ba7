"""The UNet: its gradients, its precision, and what it depends on."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from whole_model import assert_every_parameter_has_a_gradient, assert_gradients_are_central_differences, in_double

from minidiff.errors import UserError
from minidiff.models.configs import UNetConfig
from minidiff.models.unet import UNet2DConditionModel
from minidiff.ops import no_grad

# Parameters, tensors and the digest of all names and shapes of the classes of diffusers 0.42.1, transformers 5.23.0.

UNETS = {
    "two levels, the deeper one attends": dict(
        block_out_channels=(8, 12), layers_per_block=2, cross_attention_dim=5, attention_head_dim=(2, 3),
        norm_num_groups=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")),
    "one layer, both levels attend, linear projections": dict(
        block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=6, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2,
        use_linear_projection=True, flip_sin_to_cos=False, freq_shift=1),
    "three levels, only the middle reads the text": dict(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=3, attention_head_dim=4,
        norm_num_groups=2, down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3),
}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def unet_and_inputs(rng, sizes=UNETS["two levels, the deeper one attends"]):
    config = UNetConfig(**sizes)
    model = in_double(UNet2DConditionModel(rng, config), rng)
    x = rng.standard_normal((2, 4, 8, config.in_channels))
    return model, (x, np.array([3.0, 40.0]), rng.standard_normal((2, 5, config.cross_attention_dim)))


@pytest.mark.parametrize("sizes", UNETS.values(), ids=UNETS)
def test_unet_gradients(sizes, rng):
    model, inputs = unet_and_inputs(rng, sizes)
    assert_gradients_are_central_differences(model, model, inputs, rng)
    assert_every_parameter_has_a_gradient(model)


@pytest.mark.parametrize("level", [0, 1])
def test_a_watched_feature_map_has_a_gradient_of_its_own(level, rng):
    model, inputs = unet_and_inputs(rng)
    y, _ = model(*inputs)
    (same, h), _ = model.watched(*inputs, level=level)
    assert_array_equal(same, y)
    assert h.shape == [(2, 4, 8, 8), (2, 2, 4, 12)][level]
    assert_gradients_are_central_differences(model, partial(model.watched, level=level), inputs, rng)


def test_a_side_that_cannot_be_halved_and_doubled_back_is_refused(rng):
    model, (_, *others) = unet_and_inputs(rng)
    with pytest.raises(UserError, match="multiples of 2, not 4 x 5: resize the image"):
        model(np.zeros((2, 4, 5, 4)), *others)


def test_every_input_and_every_channel_matters_to_the_unet(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    y, _ = model(x, t, context)
    for channel in range(x.shape[-1]):
        moved = x.copy()
        moved[..., channel] += 1
        assert np.abs(model(moved, t, context)[0] - y).max() > 1e-3
    assert np.abs(model(x, t + 1, context)[0] - y).max() > 1e-6
    for token in range(context.shape[1]):
        moved = context.copy()
        moved[:, token] += 1
        assert np.abs(model(x, t, moved)[0] - y).max() > 1e-6


def test_samples_of_a_batch_do_not_see_each_other(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    y, _ = model(x, t, context)
    for i in range(2):
        alone, _ = model(x[i : i + 1], t[i : i + 1], context[i : i + 1])
        assert_allclose(alone[0], y[i], rtol=1e-10, atol=1e-12)


def test_text_may_be_of_any_length(rng):
    model, (x, t, context) = unet_and_inputs(rng)
    twice = np.concatenate((context, context), axis=1)  # the same keys again change no weighted mean
    assert_allclose(model(x, t, twice)[0], model(x, t, context)[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sizes", UNETS.values(), ids=UNETS)
def test_keys_and_values_may_be_computed_beforehand(rng, sizes):
    model, (x, t, context) = unet_and_inputs(rng, sizes)
    known = model.read(context)
    assert_array_equal(model(x, t, *known)[0], model(x, t, context)[0])
    levels = [*model.config.down_block_types, *model.config.up_block_types]
    layers = model.config.layers_per_block
    assert len(known) / 2 == 1 + sum(layers + kind.startswith("CrossAttnUp") for kind in levels if "CrossAttn" in kind)


def test_forward_and_backward_only_read_their_arguments(rng):
    model, inputs = unet_and_inputs(rng)
    dy = rng.standard_normal(inputs[0].shape)
    expected = model(*inputs)[0]
    for array in (*inputs, dy, *(p.value for p in model.parameters())):
        array.setflags(write=False)
    y, back = model(*inputs)
    first = [dx.copy() for dx in back(dy)]
    for one, other in zip((y, *first), (expected, *back(dy)), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float16", 3e-2)])
def test_outputs_and_gradients_have_the_precision_of_the_input(rng, dtype, tolerance):
    model, inputs = unet_and_inputs(rng)
    y, back = model(*inputs)
    dy = rng.standard_normal(y.shape)
    dx, _, dcontext = back(dy)
    for parameter in model.parameters():
        parameter.value, parameter.grad = parameter.value.astype(np.float32), None
    x, t, context = inputs
    low, low_back = model(x.astype(dtype), t, context.astype(dtype))
    low_dx, _, low_dcontext = low_back(dy.astype(dtype))
    for one, other in ((low, y), (low_dx, dx), (low_dcontext, dcontext)):
        assert one.dtype == dtype
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(other)
    assert {p.grad.dtype.name for p in model.parameters()} == {"float32"}


def test_nearby_times_differ_in_half_precision(rng):
    model, _ = unet_and_inputs(rng)
    time_emb, _ = model.time_embedding(np.array([999.0, 999.2], np.float32), np.dtype("float16"))
    assert time_emb.dtype == np.float16
    assert np.abs(time_emb[0] - time_emb[1]).max() > 1e-3


def test_no_grad_keeps_no_activations(rng):
    model = UNet2DConditionModel(rng, UNetConfig(**UNETS["two levels, the deeper one attends"]))
    inputs = [a.astype(np.float32) for a in (rng.standard_normal((2, 32, 32, 4)), np.array([3.0, 5.0]),
                                             rng.standard_normal((2, 5, 5)))]

    model(*inputs)  # imports what is imported late

    def memory():
        tracemalloc.start()
        y, back = model(*inputs)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return y, back, kept, peak

    expected, _, kept, peak = memory()
    with no_grad():
        y, back, kept_without, peak_without = memory()
    assert_array_equal(y, expected)
    assert kept_without < 0.05 * kept
    assert peak_without < 0.5 * peak
    with pytest.raises(RuntimeError, match="no_grad"):
        back(y)

"""What is particular to one op: equality with a plain reference, memory limits that change nothing, hard numbers."""

from __future__ import annotations

import importlib
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops

attention_file = importlib.import_module("minidiff.ops.attention")
convolution_file = importlib.import_module("minidiff.ops.convolution")
normalization_file = importlib.import_module("minidiff.ops.normalization")
winograd_file = importlib.import_module("minidiff.ops.winograd")
rng = np.random.default_rng(0)
FIRST_STATE = rng.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers_whatever_ran_before():
    rng.bit_generator.state = FIRST_STATE


def plain_conv2d(x, weight, bias, stride, padding):
    """conv2d's docstring, loop by loop."""
    (top, bottom), (left, right) = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    n, k, outputs = x.shape[0], weight.shape[0], weight.shape[-1]
    height, width = ((size - k) // stride + 1 for size in padded.shape[1:3])
    y = np.zeros((n, height, width, outputs))
    for j, p, q, o in itertools.product(*map(range, y.shape)):
        y[j, p, q, o] = bias[o]
        for a, b, i in itertools.product(*map(range, weight.shape[:3])):
            y[j, p, q, o] += padded[j, stride * p + a, stride * q + b, i] * weight[a, b, i, o]
    return y


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((0, 1), (1, 0)), ((1, 1), (1, 1))])
def test_conv2d_is_seven_loops(k, stride, padding):
    x, weight, bias = rng.normal(size=(2, 7, 5, 2)), rng.normal(size=(k, k, 2, 3)), rng.normal(size=3)
    y, _ = ops.conv2d(x, weight, bias, stride=stride, padding=padding)
    assert_allclose(y, plain_conv2d(x, weight, bias, stride, padding), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_conv2d_pads_by_half_a_kernel_where_nothing_is_said(k):
    x, weight, bias = rng.normal(size=(2, 7, 5, 2)), rng.normal(size=(k, k, 2, 3)), rng.normal(size=3)
    y, _ = ops.conv2d(x, weight, bias)
    assert_allclose(y, plain_conv2d(x, weight, bias, 1, ((k // 2, k // 2),) * 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("band_rows", [0, 1, 2, 4, 5, 10, 14])  # of 3 samples with 5 rows each
@pytest.mark.parametrize("stride", [1, 2])
def test_conv2d_is_the_same_in_bands(monkeypatch, band_rows, stride):
    x, weight, bias = rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2)
    row_bytes = 4 * weight[..., 0].size * x.itemsize
    y, backward = ops.conv2d(x, weight, bias, stride=stride)
    dy = rng.normal(size=y.shape)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(convolution_file, "BAND_BYTES", band_rows * row_bytes)
    y, backward = ops.conv2d(x, weight, bias, stride=stride)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_bands_stay_below_their_limit(monkeypatch):
    monkeypatch.setattr(convolution_file, "BAND_BYTES", 5000)
    x = np.zeros((3, 12, 6, 4))
    bands = list(convolution_file._bands(x, 3, 2, 1, 10, 4))
    assert max(columns.nbytes for _, _, columns in bands) <= 5000
    assert sum(len(columns) for _, _, columns in bands) == 3 * 10 * 4


def test_bands_are_no_smaller_than_the_kernel(monkeypatch):
    monkeypatch.setattr(convolution_file, "BAND_BYTES", 1)
    monkeypatch.setattr(winograd_file, "BAND_BYTES", 1)
    x = np.zeros((3, 12, 6, 4))
    bands = list(convolution_file._bands(x, 3, 8, 1, 10, 4))
    assert {columns.size for _, _, columns in bands} == {3 * 3 * 4 * 8}
    x = np.zeros((1, 8, 36, 12))  # 9 tiles in a row: 9 · (12 + 36) numbers read and written, 12 · 36 of the kernel
    assert {points.size for _, points in winograd_file._bands(x, 36)} == {36 * 9 * 12}


@pytest.mark.parametrize("height", [1, 4, 6, 9])
@pytest.mark.parametrize("width", [3, 8])
def test_winograd_conv2d_is_conv2d(height, width):
    x, weight, bias = rng.normal(size=(2, height, width, 3)), rng.normal(size=(3, 3, 3, 2)), rng.normal(size=2)
    y, backward = ops.winograd_conv2d(x, weight, bias)
    expected, expected_backward = ops.conv2d(x, weight, bias)
    dy = rng.normal(size=y.shape)
    for one, other in zip([y, *backward(dy)], [expected, *expected_backward(dy)], strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("tiles", [1, 2, 3, 5, 6, 100])  # of 3 samples with 2 rows of 2 tiles each
def test_winograd_conv2d_is_the_same_in_bands(monkeypatch, tiles):
    x, weight = rng.normal(size=(3, 8, 7, 2)), rng.normal(size=(3, 3, 2, 4))
    y, backward = ops.winograd_conv2d(x, weight)
    dy = rng.normal(size=y.shape)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(winograd_file, "BAND_BYTES", tiles * 36 * (2 + 4) * x.itemsize)
    y, backward = ops.winograd_conv2d(x, weight)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_rounding_of_winograd_conv2d_is_what_its_file_says():
    x, weight = rng.standard_normal((2, 32, 32, 128), "f4"), rng.standard_normal((3, 3, 128, 128), "f4")
    exact, exact_backward = ops.conv2d(x.astype("f8"), weight.astype("f8"))
    dy = rng.standard_normal(exact.shape, "f4")
    exact = [exact, *exact_backward(dy.astype("f8"))]
    errors = {}
    for op in (ops.conv2d, ops.winograd_conv2d):
        y, backward = op(x, weight)
        errors[op] = [np.abs(one - other).max() / np.abs(other).max()
                      for one, other in zip([y, *backward(dy)], exact, strict=True)]
    assert max(errors[ops.conv2d]) < 2e-6 < 5e-6 < max(errors[ops.winograd_conv2d]) < 2e-5


@pytest.mark.parametrize("why_not", [None, "unwanted", "few tiles", "half precision", "kernel", "stride", "padding"])
def test_winograd_is_taken_where_it_pays(why_not):
    x = np.zeros((1 if why_not == "few tiles" else 2, 16, 16, 4), "f2" if why_not == "half precision" else "f4")
    weight = np.zeros((5 if why_not == "kernel" else 3,) * 2 + (4, 4))
    stride, padding = 1 + (why_not == "stride"), ((0, 1), (0, 1)) if why_not == "padding" else None
    assert not winograd_file.winograd_pays(x, weight, stride, padding)
    with winograd_file.fast_convolutions(why_not != "unwanted"):
        assert winograd_file.winograd_pays(x, weight, stride, padding) == (why_not is None)
    assert not winograd_file.winograd_pays(x, weight, stride, padding)


@pytest.mark.parametrize("block_scores", [1, 100, 250])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_same_in_blocks(monkeypatch, block_scores, causal):
    q, k, v = rng.normal(size=(2, 7, 6)), rng.normal(size=(2, 9, 6)), rng.normal(size=(2, 9, 6))
    dy = rng.normal(size=q.shape)
    y, backward = ops.attention(q, k, v, heads=3, causal=causal)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(attention_file, "BLOCK_SCORES", block_scores)
    y, backward = ops.attention(q, k, v, heads=3, causal=causal)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_attention_is_the_mean_of_values_by_their_scores():
    q, k, v = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 4))
    y, _ = ops.attention(q, k, v, heads=2)
    for n, head, i in itertools.product(range(2), range(2), range(3)):
        width = slice(2 * head, 2 * head + 2)
        weights = [math.exp(k[n, j, width] @ q[n, i, width] / math.sqrt(2)) for j in range(5)]
        expected = sum(weight * v[n, j, width] for j, weight in enumerate(weights)) / sum(weights)
        assert_allclose(y[n, i, width], expected, rtol=1e-12, atol=1e-12)


def test_causal_attention_sees_no_later_token():
    x = rng.normal(size=(2, 6, 4))
    changed = x.copy()
    changed[:, 4:] += 1
    before, _ = ops.attention(x, x, x, heads=2, causal=True)
    after, _ = ops.attention(changed, changed, changed, heads=2, causal=True)
    assert_array_equal(before[:, :4], after[:, :4])
    assert np.abs(before[:, 4:] - after[:, 4:]).min() > 0


@pytest.mark.parametrize("block", [1, 20])
def test_layer_norm_is_the_same_in_blocks(monkeypatch, block):
    (x, dy), (weight, bias) = rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(2, 6))
    y, backward = ops.layer_norm(x, weight, bias)
    expected = [y, *backward(dy)]
    monkeypatch.setattr(normalization_file, "BLOCK", block)
    y, backward = ops.layer_norm(x, weight, bias)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_norms_are_their_formulas():
    x, (weight, bias), eps = rng.normal(size=(2, 5, 4, 6)), rng.normal(size=(2, 6)), 0.1
    y, _ = ops.layer_norm(x, weight, bias, eps=eps)
    xhat = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    assert_allclose(y, xhat * weight + bias, rtol=1e-12, atol=1e-12)
    y, _ = ops.group_norm(x, weight, bias, groups=2, eps=eps)
    grouped = x.reshape(2, 5, 4, 2, 3)
    mean, var = (f(grouped, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    xhat = ((grouped - mean) / np.sqrt(var + eps)).reshape(x.shape)
    assert_allclose(y, xhat * weight + bias, rtol=1e-12, atol=1e-12)


def test_group_norm_of_a_constant_image_is_its_bias():
    x = np.full((2, 5, 4, 6), 0.1, np.float32)
    weight, bias = rng.normal(size=(2, 6)).astype(np.float32)
    y, backward = ops.group_norm(x, weight, bias, groups=3)
    assert_allclose(y, np.broadcast_to(bias, x.shape), rtol=1e-5, atol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in backward(np.ones_like(x)))


@pytest.mark.parametrize("norm", ["group_norm", "layer_norm"])
def test_normalisation_survives_a_mean_a_thousand_times_the_deviation(norm):
    x = rng.normal(size=(2, 16, 12, 8)) + 1000
    weight, bias = rng.normal(size=(2, 8))
    dy = rng.normal(size=x.shape)
    options = {"groups": 2} if norm == "group_norm" else {}
    single = [array.astype(np.float32) for array in (x, weight, bias, dy)]
    exact_y, exact_backward = getattr(ops, norm)(*(array.astype(np.float64) for array in single[:3]), **options)
    y, backward = getattr(ops, norm)(*single[:3], **options)
    for one, other in zip([y, *backward(single[3])], [exact_y, *exact_backward(dy)], strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [ops.silu, ops.gelu, ops.quick_gelu])
def test_activations_do_not_overflow(activation, dtype):
    y, backward = activation(np.array([-1e4, 0, 1e4], dtype))
    assert_allclose(y, [0, 0, 1e4], rtol=1e-6, atol=0)
    assert_allclose(backward(np.ones(3, dtype)), [0, 0.5, 1], rtol=1e-6, atol=0)


def test_softmax_does_not_overflow():
    y, backward = ops.softmax(np.array([[1e4, -1e4, 1e4]]))
    assert_allclose(y, [[0.5, 0, 0.5]], rtol=1e-12, atol=0)
    assert_allclose(backward(np.array([[1.0, 5.0, 3.0]])), [[-0.5, 0, 0.5]], rtol=1e-12, atol=0)


def test_attention_does_not_overflow_in_half_precision():
    q, k, v = (np.full((1, 1024, 4), value, np.float16) for value in (0.1, 0.2, 100))  # 1024 · 100 is too large
    y, backward = ops.attention(q, k, v, heads=1)
    assert_allclose(y, v, rtol=1e-3)
    dq, dk, dv = backward(np.full(y.shape, 8, np.float16))
    assert_allclose(dv, 8, rtol=1e-2)
    assert_allclose([dq, dk], 0, atol=0.1)


def test_cross_entropy_does_not_overflow():
    loss, backward = ops.cross_entropy(np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0]))
    assert_allclose(loss, 5e3, rtol=1e-12, atol=0)
    assert_allclose(backward(1.0)[0], [[0, 0], [-0.5, 0.5]], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", [ops.mse, ops.l1, ops.huber])
def test_elementwise_losses_in_half_precision_are_computed_in_single(loss):
    x, target = rng.normal(size=(2, 3, 64, 64)).astype(np.float16), np.full((2, 3, 64, 64), 300, np.float16)
    value, backward = loss(x, target)
    exact, exact_backward = loss(x.astype(np.float64), target.astype(np.float64))
    assert_allclose(value, exact, rtol=1e-5, atol=0)
    assert_allclose(backward(1024.0)[0], exact_backward(1024.0)[0], rtol=1e-3, atol=0)


def test_a_loss_is_the_mean_over_samples_of_their_weights():
    x, target = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2))
    weighted, _ = ops.mse(x, target, np.array([2.0, 0.0, 1.0]))
    first, third = (float(ops.mse(x[j], target[j])[0]) for j in (0, 2))
    assert_allclose(weighted, (2 * first + third) / 3, rtol=1e-12, atol=0)


def test_kl_is_zero_at_the_standard_normal_only():
    zeros = np.zeros((2, 3))
    assert float(ops.kl_standard_normal(zeros, zeros)[0]) == 0
    assert float(ops.kl_standard_normal(zeros + 0.1, zeros)[0]) > 0
    assert float(ops.kl_standard_normal(zeros, zeros - 0.1)[0]) > 0


def test_contrastive_of_matching_pairs_is_low_and_of_shuffled_pairs_high():
    text, scale = np.eye(4) * 7, np.array(3.0)
    matched, shuffled = (float(ops.contrastive(text, image, scale)[0]) for image in (text, np.roll(text, 1, axis=0)))
    assert matched < 1e-3
    assert shuffled > 10


def test_sinusoidal_embedding_is_that_of_diffusion():
    t = np.array([0.0, 1.0, 999.0])
    y, _ = ops.sinusoidal_embedding(t, 4)
    angle = t[:, None] * [1, 0.01]
    assert_allclose(y, np.concatenate((np.cos(angle), np.sin(angle)), axis=-1), rtol=1e-12, atol=1e-12)
    y, _ = ops.sinusoidal_embedding(t, 4, flip_sin_to_cos=False, freq_shift=1)
    angle = t[:, None] * [1, 0.0001]
    assert_allclose(y, np.concatenate((np.sin(angle), np.cos(angle)), axis=-1), rtol=1e-12, atol=1e-12)


def test_upsampling_repeats_pixels():
    x = rng.normal(size=(2, 3, 4, 2))
    assert_array_equal(ops.upsample_nearest(x)[0], x.repeat(2, axis=1).repeat(2, axis=2))


def test_upsampling_and_convolution_in_one_are_the_two_after_each_other():
    x, weight, bias = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 3, 5, 2)), rng.normal(size=2)
    y, back = ops.upsample_conv2d(x, weight, bias)
    large, up_back = ops.upsample_nearest(x)
    expected, conv_back = ops.conv2d(large, weight, bias)
    assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    dy = rng.normal(size=y.shape)
    dlarge, dweight, dbias = conv_back(dy)
    for ours, theirs in zip(back(dy), (up_back(dlarge), dweight, dbias), strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_patches_are_squares_in_reading_order():
    x = rng.normal(size=(2, 6, 4, 3))
    y, _ = ops.patchify(x, 2)
    assert_array_equal(y[1, 3], x[1, 2:4, 2:4].ravel())


def test_embedding_adds_the_gradients_of_a_repeated_token():
    _, backward = ops.embedding(np.zeros((3, 2)), np.array([[1, 1], [2, 1]]))
    assert_array_equal(backward(np.ones((2, 2, 2)))[0], [[0, 0], [3, 3], [1, 1]])


def test_huber_is_a_parabola_within_one_and_a_line_outside():
    x = np.array([0.0, 0.5, 1.0, 1.05, -3.0])
    for d, expected in zip(x, [0, 0.125, 0.5, 0.55, 2.5], strict=True):
        assert_allclose(ops.huber(np.array([d]), np.zeros(1))[0], expected, rtol=1e-12, atol=0)


def test_cross_entropy_survives_rows_that_lie_far_apart():
    logits, labels = np.array([[1e4, 1e4 - 1], [-1e4, -1e4 + 1]]), np.array([0, 1])
    assert_allclose(ops.cross_entropy(logits, labels)[0], math.log(1 + math.exp(-1)), rtol=1e-9, atol=0)

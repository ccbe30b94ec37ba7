"""Kernels of a GPU where the table of ops does not lead: many channels, rows and heads that several threads share."""

from __future__ import annotations

import numpy as np
import pytest
from host_kernels import MISSING, on_the_host
from numpy.testing import assert_allclose, assert_array_equal

from minidiff import ops
from minidiff.kernels.gpu import accumulate, attention, convolution, embedding, group_norm, layer_norm, softmax
from minidiff.kernels.gpu.column_sums import column_sums
from minidiff.kernels.gpu.launch import launch
from minidiff.ops import plain

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(autouse=True)
def kernels_on_the_host():
    with on_the_host():
        yield


def assert_same_as(op, kernel, *arrays, **options):
    y, backward = kernel(*arrays, **options)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    with plain():
        exact_y, exact_backward = op(*arrays, **options)
    found, exact = backward(dy), exact_backward(dy)
    pairs = zip(found, exact, strict=True) if isinstance(found, tuple) else [(found, exact)]
    for one, other in [(y, exact_y), *(pair for pair in pairs if pair[0] is not None)]:
        assert_allclose(one, other, rtol=0, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("width", [16, 17, 40, 72, 300])  # 1, 2, 4, 8 and 32 threads for each row
@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_wide_heads_and_several_tiles(rng, monkeypatch, width, causal):
    monkeypatch.setattr(attention, "THREADS", 32)
    monkeypatch.setattr(attention, "SHARED", 128 * (width + 32))  # tiles of 8 or 16 rows
    q, k, v = (rng.standard_normal((1, tokens, 2 * width)) for tokens in (17, 20, 20))
    assert_same_as(ops.attention, attention.attention, q, k, v, heads=2, causal=causal)


def test_attention_of_large_scores_does_not_overflow(rng):
    q, k, v = (100 * rng.standard_normal((1, 5, 8)) for _ in range(3))
    assert_same_as(ops.attention, attention.attention, q, k, v, heads=2)


@pytest.mark.parametrize(("width", "lanes", "tile"), [(8, 1, 32), (16, 1, 32), (40, 4, 32), (64, 4, 32), (160, 16, 16)])
def test_two_tiles_of_keys_fit_into_shared_memory(width, lanes, tile):
    assert attention.shape_of_block(width, 4) == {"E": width, "LANES": lanes, "TILE": tile}


@pytest.mark.parametrize(("channels", "groups", "across"), [(320, 32, 40), (64, 32, 32), (48, 3, 48), (8, 2, 8),
                                                            (62, 31, 62), (512, 2, 256), (1018, 509, 2)])
def test_a_block_of_group_norm_reads_whole_groups_a_warp_wide(channels, groups, across):
    per_group = channels // groups
    assert per_group * group_norm.groups_of_a_block(groups, per_group) == across


@pytest.mark.parametrize(("pixels", "rows", "blocks", "runs"), [
    (4096, 8, 16, 16), (64, 16, 1, 1), (1024, 16, 256, 2), (1024, 16, 32, 2), (1 << 18, 4, 4, 132), (4096, 8, 600, 1),
    (4096, 8, 0, 16)])
def test_a_sample_of_many_pixels_is_shared_by_blocks_until_all_multiprocessors_work(pixels, rows, blocks, runs):
    assert group_norm.runs_of(pixels, rows, blocks) == runs


@pytest.mark.parametrize("runs", [1, 3, 35, 36])
def test_group_norm_of_several_runs_of_pixels(rng, monkeypatch, runs):
    monkeypatch.setattr(group_norm, "runs_of", lambda *_: runs)
    x, (weight, bias) = rng.standard_normal((2, 5, 7, 12)), rng.standard_normal((2, 12))
    assert_same_as(ops.group_norm, group_norm.group_norm, x, weight, bias, groups=3)


def test_group_norm_of_an_element_that_is_not_finite_is_nan_in_all_its_group():
    x = np.ones((1, 2, 3, 4), np.float32)
    x[0, 1, 1, 1] = np.inf
    y, _ = group_norm.group_norm(x, np.ones(4, np.float32), np.zeros(4, np.float32), groups=2)
    assert_array_equal(np.isnan(y), np.broadcast_to([True, True, False, False], x.shape))


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (512, 5), (513, 40), (128 * 512 + 1, 3)])
def test_columns_are_summed_in_runs_of_rows(rng, shape):
    x = rng.standard_normal(shape)
    assert_allclose(column_sums(x), x.sum(axis=0), rtol=0, atol=1e-11)
    single = column_sums(x.astype(np.float16))
    assert single.dtype == np.float32
    assert_allclose(single, x.astype(np.float16).sum(axis=0, dtype=np.float64), rtol=0, atol=1e-6 * shape[0])


@pytest.mark.parametrize("channels", [3, 100, 256, 300])
def test_convolution_of_many_channels(rng, channels):
    x, weight = rng.standard_normal((2, 3, 4, channels)), rng.standard_normal((3, 3, channels, 2))
    assert_same_as(ops.conv2d, convolution.conv2d, x, weight)


def test_nothing_is_launched_for_an_empty_batch():
    launch("no such file", "no such kernel", (3, 0), 1, np.zeros(3))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_group_norm_of_many_channels(rng, offset):
    x, (weight, bias) = rng.standard_normal((2, 5, 7, 96)) + offset, rng.standard_normal((2, 96))
    y, backward = group_norm.group_norm(x, weight, bias, groups=16)
    with plain():
        exact, exact_backward = ops.group_norm(x, weight, bias, groups=16)
    dy = rng.standard_normal(x.shape)
    for one, other in zip([y, *backward(dy)], [exact, *exact_backward(dy)], strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-12 * max(1, offset**2) * np.abs(other).max())


def test_groups_too_wide_for_a_block_are_left_to_the_op():
    x = np.zeros((1, 1, 1, 1026))
    assert group_norm.fits(x, None, None, groups=3) and not group_norm.fits(x, None, None, groups=2)


def test_layer_norm_of_many_rows_and_channels(rng):
    x, (weight, bias) = rng.standard_normal((2, 150, 70)), rng.standard_normal((2, 70))
    assert_same_as(ops.layer_norm, layer_norm.layer_norm, x, weight, bias)


def test_softmax_of_long_rows(rng):
    assert_same_as(ops.softmax, softmax.softmax, 10 * rng.standard_normal((3, 100)))


def test_gradient_of_an_embedding_is_the_same_in_every_run(rng):
    table, ids, dy = rng.standard_normal((5, 70)), rng.integers(4, size=(6, 7)), rng.standard_normal((6, 7, 70))
    first, second = (embedding.embedding(table, ids)[1](dy)[0] for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(first[4], np.zeros(70))
    assert_allclose(first[ids[0, 0]], dy[ids == ids[0, 0]].sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pairs", [1, 5, 128])
def test_arrays_are_added_to_others_also_twice_to_the_same(rng, monkeypatch, pairs):
    monkeypatch.setattr(accumulate, "PAIRS", pairs)
    flat, others = np.zeros(300), [np.zeros((4, 3), np.float32), np.zeros(300, np.float16)]
    totals = [flat[:7], flat[7:10].reshape(3, 1), flat[10:], *others, flat[:7]]
    parts = [rng.standard_normal(total.shape[::-1]).T for total in totals]
    accumulate.accumulate(*(array for pair in zip(totals, parts, strict=True) for array in pair))
    assert_allclose(flat[:7], parts[0] + parts[5], rtol=1e-14, atol=1e-14)
    for total, part in list(zip(totals, parts, strict=True))[1:5]:
        assert_allclose(total, part, rtol=np.finfo(total.dtype).eps, atol=0)


def test_sums_that_broadcast_or_have_gaps_are_left_to_the_op(rng):
    total, part = np.zeros((4, 6)), rng.standard_normal(6)
    assert accumulate.fits(total, np.ones((4, 6)))
    assert not accumulate.fits(total, part) and not accumulate.fits(total[:, ::2], np.ones((4, 3)))
    ops.accumulate(total, part)
    assert_array_equal(total, np.broadcast_to(part, (4, 6)))

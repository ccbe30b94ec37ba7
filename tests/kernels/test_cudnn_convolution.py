"""Convolution by cuDNN: when it is asked, how exactly it may compute, and what is done without it.

What it computes is tested over the table of ops, by host_cudnn.py, and on a GPU where it is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from host_cudnn import numerical_note
from host_kernels import on_the_host
from numpy.testing import assert_allclose

from minidiff import ops
from minidiff.backend import cudnn, gpu_available, product_precision, to_device, to_host
from minidiff.kernels.gpu import cudnn_convolution
from minidiff.ops import no_grad, plain

SHAPE, KERNEL = (2, 6, 5, 4), (3, 3, 4, 8)


@pytest.fixture
def library():
    with on_the_host():
        yield cudnn.available()


def takes(shape, kernel, dtype=np.float32, **options):
    return cudnn_convolution.planned(np.ones(shape, dtype), np.ones(kernel, dtype), **options)


def test_it_takes_windows_of_several_pixels(library):
    assert takes(SHAPE, KERNEL) and takes(SHAPE, KERNEL, stride=2) and takes(SHAPE, KERNEL, np.float16)
    assert not takes(SHAPE, (1, 1, 4, 8))
    assert not takes((0, 6, 5, 4), KERNEL)
    assert not takes(SHAPE, KERNEL, np.int32)


def test_it_takes_nothing_where_cudnn_is_missing(monkeypatch):
    monkeypatch.setattr(cudnn, "available", lambda: None)
    assert not takes(SHAPE, KERNEL)


def test_what_has_no_plan_in_one_pass_is_left_to_another_kernel(library, monkeypatch):
    unsupported = library.library.cudnnGraphNotSupportedError

    def refuse(graph):
        if graph.function.__name__ == "of_weight":
            raise unsupported("no engine")

    monkeypatch.setattr(library.library.pygraph, "check_support", refuse)
    assert not takes(SHAPE, KERNEL)
    with no_grad():
        assert takes(SHAPE, KERNEL)


@pytest.mark.parametrize(("dtype", "precision", "exact"), [
    (np.float32, "float32", True), (np.float32, "tf32", False), (np.float32, "bf16", False),
    (np.float16, "float32", False), (np.float64, "tf32", False)])
def test_factors_of_float32_are_rounded_only_where_that_is_asked(library, dtype, precision, exact):
    with product_precision(precision):
        x, weight = np.ones(SHAPE, dtype), np.ones(KERNEL, dtype)
        graph, *_ = library.plan("conv_fprop", *cudnn_convolution.problem(x, weight, 1, None))
    assert (numerical_note.TENSOR_CORE in graph.notes) == exact
    assert numerical_note.NONDETERMINISTIC in graph.notes


def test_a_plan_is_made_once_for_each_shape_and_precision(library):
    for _ in range(2):
        assert takes(SHAPE, KERNEL)
    assert library.plan.cache_info().misses == 3
    with product_precision("tf32"):
        assert takes(SHAPE, KERNEL)
    assert library.plan.cache_info().misses == 6


def test_half_precision_is_summed_in_single(library, rng):
    x, weight, dy = (rng.standard_normal(shape).astype(np.float16) for shape in (SHAPE, KERNEL, (2, 6, 5, 8)))
    with plain():
        y, backward = ops.conv2d(*(a.astype(np.float32) for a in (x, weight)))
        expected = [y, *backward(dy.astype(np.float32))]
    y, backward = cudnn_convolution.conv2d(x, weight)
    for one, other in zip([y, *backward(dy)], expected, strict=True):
        assert one.dtype == np.float16
        assert_allclose(one, other, rtol=0, atol=1e-3 * np.abs(other).max())


def test_without_its_frontend_nothing_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cudnn.opened(-1, 0) is None


def test_a_library_that_cannot_be_opened_is_named_once(monkeypatch):
    def fails(name):
        raise RuntimeError(f"no {name} here")

    pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=fails)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    with pytest.warns(UserWarning, match="without cuDNN, as it can't be opened: no cudart here"):
        assert cudnn.opened(-1, 1) is None
    assert cudnn.opened(-1, 1) is None


@pytest.mark.skipif(not gpu_available() or importlib.util.find_spec("cudnn") is None,
                    reason="needs an NVIDIA GPU and cuDNN: pip install .[cuda12,cudnn12]")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 2e-3), (np.float32, 2e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"stride": 2, "padding": ((0, 1), (0, 1))}], ids=str)
def test_on_a_gpu_it_gives_what_the_op_gives(rng, dtype, tolerance, options):
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in ((3, 16, 16, 24), (3, 3, 24, 32), (32,))]
    on_gpu = [to_device(array, "cuda") for array in arrays]
    assert cudnn_convolution.planned(*on_gpu, **options)
    wide = [array.astype(np.float64) for array in arrays]
    with plain():
        expected_y, expected_back = ops.conv2d(*wide, **options)
    dy = rng.standard_normal(expected_y.shape).astype(dtype)
    y, backward = cudnn_convolution.conv2d(*on_gpu, **options)
    found = [y, *backward(to_device(dy, "cuda"))]
    for one, other in zip(found, [expected_y, *expected_back(dy.astype(np.float64))], strict=True):
        assert_allclose(to_host(one), other, rtol=0, atol=tolerance * np.abs(other).max())

"""Products on a GPU against NumPy's: layouts, stacks, precision, graphs. Layouts are also tested without one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.backend import cublas, gpu_available, matmul, product_precision, to_device, to_host

needs_gpu = pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")
LEADS = [((), ()), ((5,), (5,)), ((5,), (1,)), ((1,), (5,)), ((5,), ()), ((), (5,)),
         ((3, 4), (3, 4)), ((3, 1), (3, 4)), ((1, 1), (3, 4)), ((2, 1, 3), (4, 1))]
SIZES = [(4, 6, 3), (1, 7, 5), (8, 1, 2), (3, 4, 1), (1, 1, 1)]


def whole(rng, *shape):
    return rng.standard_normal(shape)


def transposed(rng, *shape):
    return rng.standard_normal((*shape[:-2], shape[-1], shape[-2])).swapaxes(-1, -2)


def part_of_wider(rng, *shape):
    return rng.standard_normal((*shape[:-1], shape[-1] + 3))[..., : shape[-1]]


def every_second(rng, *shape):
    return rng.standard_normal((*shape[:-2], 2 * shape[-2], 2 * shape[-1]))[..., ::2, ::2]


def middle_axes_swapped(rng, *shape):
    """As the heads of attention lie: (N, T, A, E) seen as (N, A, T, E)."""
    if len(shape) < 3:
        return whole(rng, *shape)
    return rng.standard_normal((*shape[:-3], shape[-2], shape[-3], shape[-1])).swapaxes(-2, -3)


FORMS = [whole, transposed, part_of_wider, every_second, middle_axes_swapped]


def on_device(x):
    """A copy with the same strides, which to_device does not keep."""
    import cupy

    base = x if x.base is None else x.base
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
    copy = cupy.asarray(np.ascontiguousarray(base)).ravel()[offset:]
    return cupy.lib.stride_tricks.as_strided(copy, x.shape, x.strides)


@needs_gpu
@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_products_are_those_of_numpy_for_every_layout(rng, dtype, first, second):
    tolerance = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
    for lead_a, lead_b in LEADS:
        for m, k, n in SIZES:
            a, b = first(rng, *lead_a, m, k), second(rng, *lead_b, k, n)
            a, b = on_device(a).astype(dtype, "K"), on_device(b).astype(dtype, "K")
            exact = to_host(a).astype("f8") @ to_host(b).astype("f8")
            y = matmul(a, b)
            assert y.dtype == dtype and y.shape == exact.shape
            bound = tolerance * max(1.0, np.abs(exact).max()) * k
            assert_allclose(to_host(y), exact, rtol=0, atol=bound)
            out = y.repeat(2, axis=-1)[..., : y.shape[-1]]
            assert matmul(a, b, out=out) is out
            assert_allclose(to_host(out), exact, rtol=0, atol=bound)


@needs_gpu
def test_products_of_half_precision_are_summed_in_single(rng):
    a, b = (to_device(rng.standard_normal((64, 64)).astype(np.float16), "cuda") for _ in range(2))
    out = to_device(np.empty((64, 64), np.float32), "cuda")
    matmul(a, b, out=out)
    assert_allclose(to_host(out), to_host(a).astype("f8") @ to_host(b).astype("f8"), rtol=0, atol=1e-4)


@needs_gpu
def test_what_cublas_cannot_multiply_is_left_to_cupy():
    numbers = to_device(np.arange(6).reshape(2, 3), "cuda")
    assert cublas.matmul(numbers, numbers.T) is None
    vector = to_device(np.ones(3, np.float32), "cuda")
    assert_array_equal(to_host(matmul(numbers.astype("f4"), vector)), [3, 12])
    assert matmul(numbers[:0].astype("f4"), numbers.T.astype("f4")).shape == (0, 2)
    for wrong in (numbers.astype("f4"), vector[:2]):
        with pytest.raises(ValueError):
            matmul(numbers.astype("f4"), wrong)


@needs_gpu
def test_products_can_be_recorded_into_a_graph(rng):
    import cupy

    a, b = (to_device(rng.standard_normal((3, 4, 4)).astype(np.float32), "cuda") for _ in range(2))
    stream, y = cupy.cuda.Stream(non_blocking=True), cupy.empty_like(a)
    with stream:
        matmul(a, b, out=y)
        stream.begin_capture()
        matmul(a, b, out=y)
        graph = stream.end_capture()
        a *= 2
        y[...] = 0
        graph.launch(stream)
        stream.synchronize()
    assert_allclose(to_host(y), to_host(a) @ to_host(b), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("form", "expected"), [
    (whole, (6, 0)), (transposed, (4, 1)), (part_of_wider, (9, 0)), (every_second, None)])
def test_layout_is_what_cublas_reads(rng, form, expected):
    assert cublas.layout(form(rng, 3, 4, 6)) == expected


@pytest.mark.parametrize(("form", "axes"), [(whole, [0, 1, 2]), (middle_axes_swapped, [1])])
def test_matrices_at_one_distance_are_multiplied_by_one_call_and_others_along_the_longest_axis(rng, form, axes):
    x = form(rng, 2, 6, 3, 4, 5)
    assert cublas.batched(x.shape[:-2], [cublas.lead_strides(x, x.shape[:-2])]) == axes


def test_shared_matrices_are_zero_bytes_apart(rng):
    lead = (2, 3, 4)
    assert cublas.lead_strides(whole(rng, 3, 1, 5, 6), lead) == [0, 5 * 6 * 8, 0]
    assert cublas.lead_strides(whole(rng, 5, 6), lead) == [0, 0, 0]


def test_precision_of_products_holds_inside_its_context_only():
    with product_precision("tf32"), product_precision("bf16"):
        assert cublas._precision.get() == "bf16"
    assert cublas._precision.get() == "float32"
    with pytest.raises(ValueError, match="use float32, tf32 or bf16"), product_precision("fp8"):
        pass


def test_without_the_library_cupy_multiplies_after_one_warning(monkeypatch):
    def missing():
        raise OSError("no libcublas")

    monkeypatch.setattr(cublas, "own", missing)
    module = sys.modules["minidiff.backend.matmul"]
    module.cublas.cache_clear()
    try:
        with pytest.warns(UserWarning, match="slower way.*no libcublas"):
            assert module.cublas() is None
        assert module.cublas() is None
    finally:
        module.cublas.cache_clear()

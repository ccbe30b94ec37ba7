"""The properties that every op has, as it is written and as each of its kernels, over the table of op_cases.py."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from op_cases import CASES
from op_subjects import SUBJECTS
from shape_line import bind, letters_in, shape_of

from minidiff.backend import gpu_available, to_device, to_host
from minidiff.backend.tape import Tape
from minidiff.ops import fast, no_grad, plain

STEP = 1e-5  # of the central difference: its error is about STEP² + 1e-16 / STEP
FEW = settings(max_examples=5)
on_the_cpu = pytest.mark.parametrize("case", [one for one in SUBJECTS if one.device == "cpu"], ids=str, indirect=True)


def y_is_a_loss(case):
    return set(case.outputs) == {"loss"}


BATCHED = [case for case in CASES if "N" in letters_in(case.arguments) and not y_is_a_loss(case)]


@pytest.fixture(scope="module", params=SUBJECTS, ids=str)
def case(request):
    with request.param.in_use():
        yield request.param


@settings(max_examples=20)
@given(data=st.data())
def test_gradient_is_the_central_difference(case, data):
    _, arrays, rng = data.draw(case.draws())
    y, backward = case(*arrays)
    dy = like(rng, y)
    gradients = in_tuple(backward(dy))
    assert len(gradients) <= len(arrays)
    gradients = dict(zip(case.arguments, gradients, strict=False))
    for i, (name, x) in enumerate(zip(case.arguments, arrays, strict=True)):
        if name in case.constants:
            assert gradients.get(name) is None
            continue
        direction = np.asarray(rng.standard_normal(x.shape))
        direction /= np.linalg.norm(direction)
        ahead, behind = (inner(dy, case(*arrays[:i], moved, *arrays[i + 1 :])[0])
                         for moved in (x + STEP * direction, x - STEP * direction))
        assert gradients[name].shape == x.shape
        assert_allclose(inner(gradients[name], direction), (ahead - behind) / (2 * STEP),
                        rtol=1e-6, atol=1e-8 * np.linalg.norm(gradients[name]), err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@FEW
@given(data=st.data())
def test_dtype_is_kept(case, dtype, data):
    _, arrays, rng = data.draw(case.draws())
    y, backward = case(*cast(arrays, dtype))
    gradients = [gradient for gradient in in_tuple(backward(cast(like(rng, y), dtype))) if gradient is not None]
    in_half = dtype == "float16"
    kept = {dtype, "float32"} if in_half and y_is_a_loss(case) else {dtype}
    assert {part.dtype.name for part in in_tuple(y)} <= kept
    # In half precision the sums over all pixels that are the gradients of parameters stay in float32.
    assert {gradient.dtype.name for gradient in gradients} <= ({dtype, "float32"} if in_half else {dtype})


@FEW
@given(data=st.data())
def test_single_precision_gradients_agree_with_double(case, data):
    _, arrays, rng = data.draw(case.draws())
    y, backward = case(*arrays)
    dy = like(rng, y)
    single_y, single_backward = case(*cast(arrays, "float32"))
    exact = [*in_tuple(y), *in_tuple(backward(dy))]
    single = [*in_tuple(single_y), *in_tuple(single_backward(cast(dy, "float32")))]
    for one, other in zip(single, exact, strict=True):
        if other is not None:
            assert np.linalg.norm(one - other) <= 1e-4 * np.linalg.norm(other) + 1e-6


@FEW
@given(data=st.data())
def test_arguments_are_only_read_and_backward_can_run_twice(case, data):
    _, arrays, rng = data.draw(case.draws())
    y, backward = case(*arrays)
    dy = like(rng, y)
    expected = [part.copy() for part in [*in_tuple(y), *present(backward(dy))]]
    for array in [*arrays, *in_tuple(dy)]:
        array.setflags(write=False)
    y, backward = case(*arrays)
    first = [part.copy() for part in present(backward(dy))]
    assert_same([*in_tuple(y), *first], expected)
    assert_same([*in_tuple(y), *present(backward(dy))], expected)


@FEW
@given(data=st.data())
def test_views_are_as_good_as_copies(case, data):
    _, arrays, rng = data.draw(case.draws())
    y, backward = case(*arrays)
    dy = like(rng, y)
    view = data.draw(st.sampled_from([half_of_a_wider_array, np.asfortranarray]))
    view_y, view_backward = case(*map(view, arrays))
    view_dy = tuple(map(view, dy)) if isinstance(dy, tuple) else view(dy)
    for one, other in zip([*in_tuple(view_y), *present(view_backward(view_dy))], [*in_tuple(y), *present(backward(dy))],
                          strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@FEW
@given(data=st.data())
def test_no_grad_gives_the_same_and_drops_backward(case, data):
    _, arrays, rng = data.draw(case.draws())
    expected, _ = case(*arrays)
    with no_grad():
        y, backward = case(*arrays)
    assert_same(in_tuple(y), in_tuple(expected))
    with pytest.raises(RuntimeError, match="no_grad"):
        backward(like(rng, y))


@on_the_cpu
@FEW
@given(data=st.data())
def test_a_tape_gives_the_same(case, data):
    _, arrays, rng = data.draw(case.draws())
    count = data.draw(st.sampled_from([1, len(arrays)]))  # that change from call to call
    parts = in_tuple(like(rng, case(*arrays)[0]))

    def run(*changing):
        y, backward = case(*changing[:count], *arrays[count:])
        dy = changing[count:]
        dx = in_tuple(backward(dy if isinstance(y, tuple) else dy[0]))
        return {number: found for number, found in enumerate((*in_tuple(y), *dx)) if found is not None}

    changing = [*arrays[:count], *parts]
    with np.errstate(all="ignore"):
        tape = Tape(run, [np.zeros_like(x) for x in changing])
        found, expected = tape.replay(changing), run(*changing)
    assert found.keys() == expected.keys()
    for number, array in expected.items():
        assert_allclose(found[number], array, rtol=1e-13, atol=1e-13)


@on_the_cpu
@FEW
@given(data=st.data())
def test_a_tape_gives_the_same_without_gradients(case, data):
    _, arrays, _ = data.draw(case.draws())

    def run(*changing):
        with no_grad():
            return dict(enumerate(in_tuple(case(*changing)[0])))

    with np.errstate(all="ignore"):
        found, expected = Tape(run, [np.zeros_like(x) for x in arrays]).replay(arrays), run(*arrays)
    for number, array in expected.items():
        assert_allclose(found[number], array, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("kernels", [plain, fast])
@pytest.mark.parametrize("batched", BATCHED, ids=str)
def test_an_empty_batch_is_computed_and_recorded(batched, kernels):
    _, arrays, _ = batched.draw(list(range(1, 13)), seed=0)
    arrays = [x[:0] if dims[0] == "N" else x for x, dims in zip(arrays, batched.arguments.values(), strict=True)]

    def run(*arrays):
        y, backward = batched(*arrays)
        return dict(enumerate((y, *present(backward(y)))))

    with kernels():
        expected, found = run(*arrays), Tape(run, arrays).result
    for number, array in expected.items():
        assert not array.any()
        assert_array_equal(found[number], array, strict=True)


@FEW
@given(data=st.data())
def test_shape_line_is_true(case, data):
    sizes, arrays, _ = data.draw(case.draws())
    parameters = list(inspect.signature(case.op).parameters)
    assert list(case.arguments) == parameters[: len(arrays)]
    parts = in_tuple(case(*arrays)[0])
    assert len(parts) == len(case.outputs)
    for part, dims in zip(parts, case.outputs.values(), strict=True):
        sizes = bind(dims, part.shape, sizes)
        assert part.shape == shape_of(dims, sizes)


@pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")
@FEW
@given(data=st.data())
def test_backends_agree(case, data):
    _, arrays, rng = data.draw(case.draws())
    arrays = cast(arrays, "float32")
    y, backward = case(*arrays)
    dy = cast(like(rng, y), "float32")
    device_y, device_backward = case(*(to_device(x, "cuda") for x in arrays))
    device_dy = tuple(to_device(part, "cuda") for part in dy) if isinstance(dy, tuple) else to_device(dy, "cuda")
    device = [to_host(part) for part in [*in_tuple(device_y), *present(device_backward(device_dy))]]
    host = [*in_tuple(y), *present(backward(dy))]
    largest = max(np.abs(part).max() for part in host)  # Winograd's rounding errors are relative to it
    for one, other in zip(device, host, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=2e-5 * max(1.0, largest))


def in_tuple(y):
    return y if isinstance(y, tuple) else (y,)


def present(gradients):
    return [gradient for gradient in in_tuple(gradients) if gradient is not None]


def like(rng, y):
    """Normal numbers in the form of `y`: an array or a tuple of them."""
    return tuple(like(rng, part) for part in y) if isinstance(y, tuple) else np.asarray(rng.standard_normal(y.shape))


def inner(a, b):
    return sum(float((one * other).sum()) for one, other in zip(in_tuple(a), in_tuple(b), strict=True))


def cast(arrays, dtype):
    """Real arrays in another precision; integers stay."""
    if isinstance(arrays, np.ndarray):
        return arrays.astype(dtype) if arrays.dtype.kind == "f" else arrays
    return tuple(cast(array, dtype) for array in arrays)


def half_of_a_wider_array(x):
    return np.concatenate((x, x), axis=-1)[..., : x.shape[-1]] if x.ndim else x


def assert_same(arrays, expected):
    for array, other in zip(arrays, expected, strict=True):
        assert_array_equal(array, other)

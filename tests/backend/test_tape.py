"""Functions recorded on a tape: a replay gives what a call gives, on other arrays."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.backend import captured, matmul, without_graphs
from minidiff.backend.tape import Memory, Tape, taped

CONSTANT = np.arange(12.0).reshape(3, 4)


def in_place(x, y):
    z = x * 2
    z += y
    z[:, 1:] *= CONSTANT[:, 1:]
    z[0] = y[1]
    z[1] = 7
    return np.tanh(z, out=z)


def copies(x, y):
    parts = x.repeat(2, axis=-1), y.T.reshape(3, 4), x.astype("float32").astype(float), y.copy()
    return np.concatenate(parts, axis=1)


def views(x, y):
    parts = [row + 1 for row in x] + [y.swapaxes(0, 1)[:3, 2], x.transpose(1, 0)[2, :]]
    return sum(part[..., None] for part in parts[:3]) + parts[4] * np.split(y, 2, axis=1)[1][1, 0]


def unpacked(x, y):
    first, second, third = y[:, 0]
    return x * first + second - third


def sums(x, y):
    return x.sum(axis=0, keepdims=True) / x.max(axis=-1, keepdims=True) + y.mean(axis=1, keepdims=True) - x.sum()


def functions(x, y):
    padded = np.pad(np.where(CONSTANT > 3, x, y), ((0, 0), (1, 2)))
    return np.take(padded.clip(-1, 1), [2, 0, 2], axis=1) - np.clip(1 / y[:, :3], 0, None)


def products(x, y):
    return 1 - matmul(matmul(x, CONSTANT.T), matmul(CONSTANT, y.T)) ** 2


def memory(x, y):
    z = np.empty_like(x, shape=(2, *x.shape))
    z[0], z[1] = x, -y
    return z.reshape(-1)


def picked(x, y):
    largest, rows = y.argmax(axis=-1), np.arange(3)
    z = np.zeros_like(x, shape=(3, 5))
    z[rows, largest] = x[rows, largest]
    z[[0, 2], 4] -= 1 + y[1, 1]
    return z[:, [0, 3, 1, 4]] * y[[2, 0, 0]]


def scattered(x, y):
    z = np.zeros_like(x, dtype=np.float64)
    np.add.at(z, (y > 0).argmax(axis=-1), x)
    return z + np.broadcast_to(x[0], (3, 4))


def named(x, y):
    z = np.add(x, 1, out=x.copy(), where=y > 0)
    return np.clip(z, 0, a_max=y.max()) + np.pad(array=z, pad_width=0) + z.sum(axis=1, keepdims=True, where=y > 0)


def contracted(x, y):
    return np.einsum("ij,kj->ik", x, CONSTANT) - np.einsum("ij,ij->i", x, y)[:, None]


@pytest.mark.parametrize("run", [in_place, copies, views, unpacked, sums, functions, products, memory, picked,
                                 scattered, named, contracted])
def test_a_replay_gives_what_the_function_gives_for_other_arrays(run, rng):
    tape = Tape(run, rng.standard_normal((2, 3, 4)))
    for _ in range(3):
        arguments = rng.standard_normal((2, 3, 4))
        before = arguments.copy()
        assert_allclose(tape.replay(arguments), run(*arguments), rtol=1e-14, atol=1e-14)
        assert_array_equal(arguments, before)


def test_the_first_result_is_that_of_the_first_arguments(rng):
    x, y = rng.standard_normal((2, 3, 4))
    assert_array_equal(taped(in_place)(x, y), in_place(x, y))


def test_what_depends_on_constants_alone_is_computed_once(rng):
    computed = []

    def run(x):
        computed.append(np.exp(CONSTANT))
        return x * computed[-1]

    tape = Tape(run, [CONSTANT])
    assert len(tape.calls) == 1 and len(computed) == 1
    x = rng.standard_normal((3, 4))
    assert_array_equal(tape.replay([x]), x * np.exp(CONSTANT))
    assert len(computed) == 1


def test_memory_is_used_again_as_soon_as_nothing_refers_to_it(rng):
    def run(x):
        for _ in range(50):
            x = (x + 1) * 0.5
        return x

    tape, x = Tape(run, [np.zeros((100, 100))]), rng.standard_normal((100, 100))
    assert len({call.keywords["out"].ctypes.data for call in tape.calls}) <= 3
    assert_array_equal(tape.replay([x]), run(x))


def test_the_memory_of_a_tape_goes_with_it(rng):
    gc.disable()
    try:
        tape = Tape(in_place, rng.standard_normal((2, 3, 4)))
        gone = weakref.ref(tape)
        del tape
        assert gone() is None
    finally:
        gc.enable()


def test_each_combination_of_shapes_and_dtypes_is_recorded_once(rng):
    seen = []

    def run(x):
        seen.append((x.shape, x.dtype.name))
        return x + x

    replay = taped(run)
    for _ in range(3):
        for shape in ((2, 3), (4,), (0, 2)):
            for dtype in (np.float32, np.int64):
                x = rng.integers(0, 9, shape).astype(dtype)
                assert_array_equal(replay(x), 2 * x, strict=True)
    assert len(seen) == len(set(seen)) == 6


def test_results_stay_when_later_calls_are_made(rng):
    replay, xs = taped(lambda x: {"y": x * 3}), rng.standard_normal((4, 5))
    for found, x in zip([replay(x) for x in xs], xs, strict=True):
        assert_array_equal(found["y"], 3 * x)


def test_results_may_have_names(rng):
    replay = taped(lambda x: {"sum": x.sum(), "double": 2 * x})
    for x in rng.standard_normal((3, 4)):
        found = replay(x)
        assert found.keys() == {"sum", "double"}
        assert_array_equal(found["double"], 2 * x)
        assert_allclose(found["sum"], x.sum(), rtol=1e-15)


def test_arrays_of_its_own_may_change_and_be_changed(rng):
    weight, total = rng.standard_normal((2, 3, 4))
    replay, expected = taped(accumulate, (weight, total)), total.copy()
    for i, x in enumerate(rng.standard_normal((5, 3, 4))):
        expected += weight * x * 0.5
        assert_array_equal(replay(0.5, x)["loss"], (weight * x).sum())
        assert_array_equal(total, expected)
        weight[i % 3] += 1


def accumulate(weight, total, fraction, x):
    y = weight * x
    total[1:] += y[1:] * fraction
    total[0] += y[0] * fraction
    return {"loss": y.sum()}


def test_a_number_is_recorded_as_it_is_once_for_each(rng):
    seen, x = [], rng.standard_normal(3)
    replay = taped(lambda factor, x: (seen.append(factor), x * factor)[1])
    for factor in (2.0, 0.5, 2.0, 0.5):
        assert_array_equal(replay(factor, x), factor * x)
    assert seen == [2.0, 0.5]


def test_equal_numbers_of_different_types_are_different(rng):
    replay, x = taped(lambda x, factor: x * factor), rng.integers(-9, 9, 3)
    for factor in (2.0, 2, 1, True, 1.0):
        assert_array_equal(replay(x, factor), x * factor, strict=True)


def test_numbers_of_a_tuple_keep_their_type(rng):
    replay, x = taped(lambda x, numbers: x * numbers[0] + numbers[1]), rng.standard_normal(3)
    for numbers in ((1, 2), (0.5, 2.5), (3, 4), (1, 0.5)):
        assert_array_equal(replay(x, numbers), x * numbers[0] + numbers[1])


def test_the_first_result_has_the_bits_of_a_replay(rng):
    x, y = rng.standard_normal((2, 257, 33)).astype("f")
    replay = taped(lambda x, y: matmul(x, y.T[:, 3]) + np.mean(x, axis=1))
    first = replay(x, y)
    assert_array_equal(replay(x, y), first)


def test_tapes_of_a_thread_share_their_memory(rng):
    memory, xs = Memory(), (rng.standard_normal((31, 100)), rng.standard_normal((30, 100)))
    tapes, blocks = [], []
    for x in xs:
        tapes.append(Tape(lambda x: np.tanh(x + 1) * 2, [x], memory=memory))
        blocks.append({piece.ctypes.data for piece in memory.free})
    assert blocks[0] == blocks[1]
    for x, tape in [*zip(xs, tapes, strict=True)] * 2:
        assert_array_equal(tape.replay([x]), np.tanh(x + 1) * 2)


def test_threads_do_not_write_into_each_others_tapes(rng):
    replay, met = taped(lambda x: np.tanh(x) + matmul(x, x)), threading.Barrier(4, timeout=20)
    xs = rng.standard_normal((4, 60, 60))

    def compute(x):
        met.wait()
        return [replay(x * i) for i in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for x, found in zip(xs, pool.map(compute, xs), strict=True):
            for i, one in enumerate(found):
                assert_allclose(one, np.tanh(x * i) + (x * i) @ (x * i), rtol=1e-12)


def test_a_pure_function_is_recorded_on_a_cpu_and_without_graphs_it_is_called_each_time(rng):
    calls = []
    replay = captured(lambda x: (calls.append(1), x * 2)[1], "cpu", pure=True)
    for x in rng.standard_normal((3, 4)):
        assert_array_equal(replay(x), 2 * x)
    assert len(calls) == 1
    with without_graphs():
        replay(x)
        replay(x)
    assert len(calls) == 3

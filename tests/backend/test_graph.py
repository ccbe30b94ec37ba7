"""Recorded graphs: a replay has the results and effects of a call, on whatever arguments. Most needs a GPU."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidiff.backend import gpu_available, graph, matmul, resolve_device, to_device, to_host
from minidiff.backend.graph import captured, without_graphs

needs_gpu = pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")


def on_gpu(rng, *shape):
    return to_device(rng.standard_normal(shape).astype(np.float32), "cuda")


class Walk:
    """A state that each call moves, and the number of calls of the function itself."""

    def __init__(self, start):
        self.state, self.calls = to_device(start, "cuda"), 0

    def __call__(self, x, rate, sign=1):
        self.calls += 1
        self.state += sign * rate * matmul(x, self.state)
        return {"sum": self.state.sum(), "state": self.state * 1}


def test_on_a_cpu_it_is_the_function_itself():
    assert captured(np.tanh, "cpu") is np.tanh
    assert resolve_device("auto") == "cuda" or captured(np.tanh) is np.tanh


@needs_gpu
def test_a_hundred_replays_equal_as_many_calls(rng):
    start, inputs = rng.standard_normal((4, 3)).astype(np.float32), [on_gpu(rng, 4, 4) for _ in range(100)]
    eager, recorded = Walk(start), Walk(start)
    replay = captured(recorded)
    for i, x in enumerate(inputs):
        rate = to_device(np.array(0.01 * i, np.float32), "cuda")
        expected, found = eager(x, rate), replay(x, rate)
        for name in expected:
            assert_array_equal(to_host(found[name]), to_host(expected[name]))
    assert_array_equal(to_host(recorded.state), to_host(eager.state))
    assert recorded.calls == 2


@needs_gpu
def test_arrays_of_the_host_and_tuples_of_numbers_are_copied_to_the_device(rng):
    replay = captured(lambda x, numbers: x * numbers[0] + numbers[1])
    for i in range(1, 4):
        x = rng.standard_normal((2, 3))[:, ::-1]
        assert_array_equal(to_host(replay(x, (i, 0.5))), x * i + 0.5)


@needs_gpu
def test_each_kind_of_arguments_has_a_graph_of_its_own(rng):
    walk = Walk(np.eye(3, dtype=np.float32))
    replay, x, rate = captured(walk), on_gpu(rng, 3, 3), to_device(np.float32(0.1), "cuda")
    replay(x, rate)
    first = to_host(walk.state)
    for sign in (-1, 1, -1, 1):
        expected = walk.state + sign * rate * matmul(x, walk.state)
        replay(x, rate, sign)
        assert_array_equal(to_host(walk.state), to_host(expected))
    assert walk.calls == 6 and not np.array_equal(first, to_host(walk.state))
    double = captured(lambda x: x + x)
    for shape in ((2, 3), (4,), (2, 3)):
        for dtype in (np.float32, np.int64):
            x = rng.standard_normal(shape).astype(dtype)
            assert_array_equal(to_host(double(x)), 2 * x, strict=True)


@needs_gpu
def test_without_graphs_the_function_itself_is_called_each_time(rng):
    walk, x = Walk(np.eye(3, dtype=np.float32)), rng.standard_normal((3, 3)).astype(np.float32)
    replay = captured(walk)
    with without_graphs():
        for calls in (1, 2, 3):
            replay(x, np.float32(0.1))
            assert walk.calls == calls


@needs_gpu
def test_arrays_made_between_replays_stay_as_they_are(rng):
    replay = captured(lambda x: (x * 2 + 1) * x)
    replay(on_gpu(rng, 64, 64))
    kept = [on_gpu(rng, 64, 64) for _ in range(8)]
    copies = [to_host(x) for x in kept]
    for x in kept:
        replay(x)
    for x, copy in zip(kept, copies, strict=True):
        assert_array_equal(to_host(x), copy)


@needs_gpu
def test_what_cannot_be_recorded_runs_as_it_is_after_one_warning(rng, monkeypatch):
    import cupy

    def normalized(x):
        largest = x.max()
        if cupy.cuda.get_current_stream().is_capturing():
            raise NotImplementedError("no graphs here")
        return x / largest

    replay = captured(normalized)
    x = on_gpu(rng, 3, 4)
    with pytest.warns(UserWarning, match="can't be recorded: no graphs here"):
        assert_array_equal(to_host(replay(x)), to_host(x / x.max()))
    for other in (on_gpu(rng, 3, 4), x):
        assert_array_equal(to_host(replay(other)), to_host(other / other.max()))


@needs_gpu
def test_graphs_of_several_threads_and_streams_take_turns(rng):
    """They share their memory; on a real GPU those of two streams would run at once."""
    import cupy

    inputs = [rng.standard_normal((64, 64)).astype(np.float32) for _ in range(4)]

    def work(x):
        replay = captured(lambda x: matmul(matmul(x, x) + 1, x) * 2)
        with cupy.cuda.Stream(non_blocking=True) as stream:
            found = [to_host(replay(x * i)) for i in np.arange(1, 20, dtype=np.float32)]
            stream.synchronize()
        return found

    with ThreadPoolExecutor(4) as threads:
        for x, found in zip(inputs, threads.map(work, inputs), strict=True):
            for i, y in enumerate(found, 1):
                expected = 2 * ((i * x) @ (i * x) + 1) @ (i * x)
                assert_allclose(y, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.fixture
def no_graphs():
    """Only where no other graph is alive do these tests know what the pool should hold."""
    gc.collect()
    assert graph.Graph.alive == 0
    return graph.pool()


@needs_gpu
def test_graphs_share_their_memory_and_give_it_back(rng, no_graphs):
    replay = captured(lambda x: ((x * 2 + 1) * x).sum(axis=0))
    replay(on_gpu(rng, 512, 1024))
    alone = no_graphs.total_bytes()
    for rows in (256, 512, 128):
        x = on_gpu(rng, rows, 1024)
        assert_allclose(to_host(replay(x)), to_host(((x * 2 + 1) * x).sum(axis=0)), rtol=1e-6)
    assert alone <= no_graphs.total_bytes() < 1.1 * alone
    assert graph.Graph.alive == 3
    del replay
    assert graph.Graph.alive == no_graphs.total_bytes() == 0


@needs_gpu
def test_a_step_that_cannot_be_recorded_keeps_no_memory(rng, no_graphs):
    def read(x):
        return x * float(x.sum())

    with pytest.warns(UserWarning, match="can't be recorded"):
        result = captured(read)(on_gpu(rng, 512, 512))
    assert no_graphs.total_bytes() == result.nbytes


@needs_gpu
def test_where_memory_runs_out_nothing_is_freed_that_a_graph_writes_to(rng, no_graphs, monkeypatch):
    import cupy

    def runs_out(size, of=cupy.cuda.Memory):
        if cupy.cuda.get_current_stream().is_capturing():
            raise cupy.cuda.runtime.CUDARuntimeError(2)
        return of(size)

    def greedy(x):
        more = 4 if cupy.cuda.get_current_stream().is_capturing() else 1
        return x * 2 + cupy.zeros((more, 1 << 20), x.dtype).sum()

    x = on_gpu(rng, 512, 512)
    keep = captured(lambda x: x * 3 + 1)
    keep(x)
    held = no_graphs.total_bytes()
    monkeypatch.setattr(cupy.cuda, "Memory", runs_out)
    with pytest.warns(UserWarning, match="can't be recorded: the GPU has no 17 MB left for a step that is recorded"):
        assert_array_equal(to_host(captured(greedy)(x)), to_host(x * 2))
    assert no_graphs.total_bytes() >= held
    assert_array_equal(to_host(keep(x)), to_host(x * 3 + 1))


@needs_gpu
def test_where_memory_runs_out_before_a_recording_what_is_free_elsewhere_is_given_back(rng, no_graphs, monkeypatch):
    import cupy

    failures, others = [1], mock.Mock()

    def runs_out(size, of=cupy.cuda.Memory):
        if size > 1 << 23 and failures[0]:
            failures[0] -= 1
            raise cupy.cuda.runtime.CUDARuntimeError(2)
        return of(size)

    keep = captured(lambda x: x * 3 + 1)
    keep(on_gpu(rng, 512, 512))
    monkeypatch.setattr(cupy.cuda, "Memory", runs_out)
    monkeypatch.setattr(cupy, "get_default_memory_pool", lambda: others)
    x = to_device(np.ones((2048, 2048), np.float32), "cuda")
    assert_array_equal(to_host(captured(lambda x: x * 2)(x)), 2 * np.ones((2048, 2048)))
    others.free_all_blocks.assert_called_once_with()
    failures[0] = 2
    with pytest.raises(MemoryError, match="no 67 MB left"):
        captured(lambda x: x * 2)(to_device(np.ones((4096, 4096), np.float32), "cuda"))


@needs_gpu
def test_an_error_of_the_function_itself_is_raised():
    def wrong(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        captured(wrong)(np.ones(3))


def test_a_first_call_that_fails_leaves_no_graph(monkeypatch):
    class OneFails(list):
        def __call__(self, run, arguments):
            self.append(mock.Mock(record=mock.Mock(side_effect=None if self else ValueError)))
            return self[-1]

    graphs = OneFails()
    monkeypatch.setattr(graph, "resolve_device", lambda device: "cuda")
    monkeypatch.setattr(graph, "Graph", graphs)
    replay = captured(np.tanh)
    with pytest.raises(ValueError):
        replay(1.0)
    for _ in range(3):
        replay(1.0)
    assert [(one.record.call_count, one.replay.call_count) for one in graphs] == [(1, 0), (1, 2)]

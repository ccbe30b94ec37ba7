"""A function recorded once and replayed: a CUDA graph.

A training step is a thousand kernels, and those of a small model take a GPU less time than Python takes to launch them.
A graph holds all of them with their arguments, and a single launch starts them in their order:

    replay(x) = run(x), with the same bits: the kernels, their order and what they read are the same

A graph knows addresses, not arrays. So it reads its arguments from buffers that never move, into which each call copies
its own, and it takes the memory for all that it computes from a pool of which only graphs take, so that no other array
comes to lie there. Graphs run one after another: what one computes on the way may lie where another's does. A number is
part of what is recorded, unless it is read from memory, as the elements of an array are.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import warnings
from collections.abc import Callable
from functools import cache, partial

from .devices import resolve_device, to_device
from .tape import changes, kind, taped

_enabled = contextvars.ContextVar("whether functions are recorded", default=True)
_turn = threading.RLock()


def captured(run: Callable, device: str = "auto", own=(), pure: bool = False) -> Callable:
    """A function that replays run(*own, *arguments) on a GPU. `own` are arrays that stay where they are, whatever
    changes in them.

    On a CPU it calls `run`, unless that is `pure`: neither reads nor writes anything that may ever change but `own` and
    the arguments. Then its calls of NumPy are recorded (see `taped`).

    Arrays, of the host or the device, and tuples of numbers may change from call to call: `run` gets them as arrays on
    the device. All other arguments are recorded as they are. There is one graph for each combination of shapes, dtypes
    and other arguments. What `ops.fast()` and other contexts say is recorded, too, as it was at the first call.

    The first call runs and then records it, so it calls `run` twice but has its effects on arrays once; whatever else
    `run` does is not done again. The arrays that it returns are the graph's own: the next call overwrites them.

    `run` may neither read elements on the host nor upload any, and returns no backward pass. Where it does, or a
    library refuses to be recorded, it runs as it is in each call, after one warning.
    """
    if resolve_device(device) == "cpu":
        eager = partial(run, *own) if own else run
        return optional(taped(run, own), eager) if pure else eager
    run, graphs = partial(run, *own), {}

    def call(*arguments):
        kinds = tuple(map(kind, arguments))
        if kinds in graphs:
            return graphs[kinds].replay(arguments)
        graph = Graph(run, arguments)
        first = graph.record()
        graphs[kinds] = graph
        return first

    return optional(call, lambda *arguments: run(*map(on_device, arguments)))


def optional(replaying, run):
    """The first function, or the second one `without_graphs`."""
    return lambda *arguments: (replaying if _enabled.get() else run)(*arguments)


@contextlib.contextmanager
def without_graphs():
    """Within this context, captured functions run as they are, call by call."""
    token = _enabled.set(False)
    try:
        yield
    finally:
        _enabled.reset(token)


class Graph:
    """`run` for arguments of one kind: their buffers, what was recorded, its result."""

    alive = 0

    def __init__(self, run, arguments):
        import cupy

        self.run, self.recorded, self.result = run, None, None
        self.buffers = [cupy.array(x, order="C") if changes(x) else x for x in arguments]

    def record(self):
        """Run and return the result, which loads kernels and fills the pool; then record the same."""
        import cupy

        with in_turn() as stream, stream, cupy.cuda.using_allocator(pool().malloc):
            first = self.run(*self.buffers)
            try:
                self.recorded, self.result = self.recording(stream)
                Graph.alive += 1
            except Exception as error:
                warnings.warn("a step is launched kernel by kernel, which is slower, as it can't be recorded: "
                              f"{error.__context__ or error}", stacklevel=3)
        release()
        return first

    def recording(self, stream):
        """(the graph of `run`, its result)"""
        stream.begin_capture()
        try:
            result = self.run(*self.buffers)
        finally:
            graph = stream.end_capture()
        return graph, result

    def replay(self, arguments):
        for buffer, x in zip(self.buffers, arguments, strict=True):
            if changes(x):
                buffer[...] = on_device(x)
        if self.recorded is None:
            return self.run(*self.buffers)
        with in_turn() as stream:
            self.recorded.launch(stream)
        return self.result

    def __del__(self):
        if self.recorded is not None:
            with _turn:
                self.recorded = self.result = None
                Graph.alive -= 1
            release()


@cache
def pool():
    """The memory of graphs: CuPy's pool, but for what it does when memory runs out, or its own limit is reached."""
    import cupy

    memory = cupy.cuda.MemoryPool(block)
    memory.set_limit(size=0)
    return memory


def block(size: int):
    """Memory for the pool. Where a graph is alive, nothing of the pool may be given back to make room, as CuPy does it
    before it tries again; what the rest of CuPy's memory has free may be, unless a graph is being recorded.

    Raises MemoryError if that is not enough.
    """
    import cupy

    recording = cupy.cuda.get_current_stream().is_capturing()
    try:
        return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)
    except cupy.cuda.runtime.CUDARuntimeError:
        if not (recording or Graph.alive):
            raise
    if not recording:
        cupy.get_default_memory_pool().free_all_blocks()
        with contextlib.suppress(cupy.cuda.runtime.CUDARuntimeError):
            return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)
    raise MemoryError(f"the GPU has no {size / 1e6:,.0f} MB left for a step that is recorded")


def release() -> None:
    """Give back what the pool has, once no graph writes there. CuPy does not do it when a pool goes."""
    if not Graph.alive:
        pool().free_all_blocks()


def on_device(x):
    """An argument as `run` gets it."""
    return to_device(x, "cuda") if changes(x) else x


@contextlib.contextmanager
def in_turn():
    """The stream on which all graphs of a device are recorded and launched, whoever calls: one after another, after all
    that the present stream has been given, and before what it is given next. CUDA records nothing on the default one.
    """
    import cupy

    caller, stream = cupy.cuda.get_current_stream(), stream_of(cupy.cuda.runtime.getDevice())
    with _turn:
        stream.wait_event(caller.record())
        try:
            yield stream
        finally:
            caller.wait_event(stream.record())


@cache
def stream_of(device: int):
    """It also has one workspace of cuBLAS."""
    import cupy

    return cupy.cuda.Stream(non_blocking=True)

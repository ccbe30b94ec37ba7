"""A function's calls of NumPy, recorded once and replayed: what a graph is to a GPU.

A small UNet makes two thousand calls of NumPy, and its training step five thousand. Between them Python chooses
kernels, makes views, allocates, and computes anew what depends on constants alone. A tape holds nothing but the calls,
with their arrays, in their order:

    replay(x) = run(x), to rounding

To record it, `run` gets `Recorded` arrays for its arguments. A call that has one of them among its own arguments is
made, and written down with its result. All others are made and forgotten: what they return is a constant. So all
arrays that change from call to call have to be arguments: in training also the weights, and the sums of their
gradients.

A result lies in memory of the tape. As soon as nothing refers to it any more, a later result takes its place, as it
would in memory that NumPy allocates. So a tape needs little more than `run` itself, and finds it in the cache.
"""

from __future__ import annotations

import bisect
import math
import threading
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

from .recorded import Recorded, plain

ALIGNED = 64  # bytes: a line of the cache, and the widest vector registers


def taped(run: Callable, own=()) -> Callable:
    """A function that records run(*own, *arguments) at its first call with arguments of their kinds (`kind`), and
    replays it from then on. Each thread has tapes of its own, which share their memory.

    A function that can't be recorded runs as it is in each call, after one warning.
    """
    mine, refused = threading.local(), []

    def call(*arguments):
        if refused:
            return run(*own, *arguments)
        tapes, kinds = vars(mine), tuple(map(kind, arguments))
        if kinds in tapes:
            return tapes[kinds].replay(arguments)
        before = [x.copy() for x in own]
        try:
            tapes[kinds] = tape = Tape(run, arguments, own, tapes.setdefault("memory", Memory()))
            return copied(tape.result)
        except (TypeError, AttributeError) as error:
            for x, old in zip(own, before, strict=True):
                x[...] = old
            y = run(*own, *arguments)  # raises the error if it was not about recording
            refused.append(True)  # the error itself would keep all arrays of the recording
            tapes.clear()
            warnings.warn(f"a step is computed call by call, which is slower, as it can't be recorded: {error}",
                          stacklevel=2)
            return y

    return call


def kind(x):
    """What a recording is made for: the shape and dtype of what may change, of all else the type and the value."""
    x = np.asarray(x) if isinstance(x, tuple) else x
    return (x.shape, x.dtype) if changes(x) else (type(x), x)


def changes(x) -> bool:
    """Whether an argument may be another one in each call."""
    return hasattr(x, "dtype") or isinstance(x, tuple)


class Tape:
    """The calls of run(*own, *arguments) for arguments of these kinds, and the result for these: an array, or a dict
    of arrays.

    The arrays `own` are always the same ones, and `run` may write into them. The others are copied. `memory` may be
    that of other tapes, if only one of them is replayed at a time.

    Raises TypeError or AttributeError where `run` can't be recorded: it reads elements, or `Recorded` lacks something.
    """

    def __init__(self, run: Callable, arguments, own=(), memory: Memory | None = None):
        self.calls, self.memory = [], memory or Memory()
        recorded = [self.holding(np.asarray(x)) if changes(x) else x for x in arguments]
        result = run(*(Recorded(self, None, x) for x in own), *recorded)
        if not all(isinstance(y, Recorded) for y in (result.values() if isinstance(result, dict) else [result])):
            raise TypeError("its result does not depend on its arguments")
        # Arrays alone: Recorded ones refer to the tape, and would keep its memory until Python looks for cycles.
        self.arguments, self.result = plain(recorded), plain(result)

    def replay(self, arguments) -> np.ndarray | dict[str, np.ndarray]:
        for own, x in zip(self.arguments, arguments, strict=True):
            if changes(x):
                own[...] = x
        for call in self.calls:
            call()
        return copied(self.result)

    def call(self, function: Callable, *inputs, out: Recorded | None = None, **options) -> Recorded:
        """Call a function that can write into an array `out`, and write that down."""
        if function is np.matmul:  # reads a factor faster row by row, as a constant is stored here once and for all
            inputs = [np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x for x in inputs]
        inputs, options = plain(inputs), plain(options)
        if out is None:
            found = np.asarray(function(*inputs, **options))
            out = self.empty(found.shape, found.dtype)
        self.do(partial(function, *inputs, out=out.array, **options))  # again, for the bits of a replay
        return out

    def call_and_copy(self, function: Callable, *inputs, **options) -> Recorded:
        """Call a function that returns a new array, and write that down."""
        new = partial(function, *plain(inputs), **plain(options))
        y = self.holding(new())
        self.calls.append(partial(copy_new, y.array, new))
        return y

    def do(self, call: Callable) -> None:
        """Make a call that writes into arrays of the tape, and write it down."""
        call()
        self.calls.append(call)

    def copy(self, target: np.ndarray, source) -> None:
        self.do(partial(np.copyto, target, source, casting="unsafe"))

    def holding(self, values: np.ndarray) -> Recorded:
        y = self.empty(values.shape, values.dtype)
        y.array[...] = values
        return y

    def empty(self, shape, dtype) -> Recorded:
        block = Block(self.memory, math.prod(shape) * np.dtype(dtype).itemsize)
        return Recorded(self, block, np.ndarray(shape, dtype, block.piece))


class Memory:
    """Pieces of memory that are free, by size. The smallest one that fits is taken, if no more than half of it is lost.
    """

    def __init__(self):
        self.free = []

    def take(self, size: int) -> np.ndarray:
        place = bisect.bisect_left(self.free, size, key=len)
        fits = place < len(self.free) and len(self.free[place]) <= 2 * size
        return self.free.pop(place) if fits else aligned(size)

    def give(self, piece: np.ndarray) -> None:
        bisect.insort(self.free, piece, key=len)


class Block:
    """Some of a tape's memory, which is free again when the last array in it is gone."""

    def __init__(self, memory: Memory, size: int):
        self.memory, self.piece = memory, memory.take(size)

    def __del__(self):
        self.memory.give(self.piece)


def copy_new(target: np.ndarray, new: Callable) -> None:
    np.copyto(target, new())


def copied(result):
    return {name: y.copy() for name, y in result.items()} if isinstance(result, dict) else result.copy()


def aligned(size: int) -> np.ndarray:
    memory = np.empty(size + ALIGNED, np.uint8)
    return memory[-memory.ctypes.data % ALIGNED:][:size]

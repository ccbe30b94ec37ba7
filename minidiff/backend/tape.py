"""A pure function's calls of NumPy, recorded once and replayed: what a graph is to a GPU.

A small UNet makes two thousand calls of NumPy. Between them Python chooses kernels, makes views, allocates, and
computes anew what depends on weights alone. A tape holds nothing but the calls, with their arrays, in their order:

    replay(x) = run(x), to rounding

To record it, `run` gets `Recorded` arrays for its arguments. A call that has one of them among its own arguments is
made, and written down with its result. All others are made and forgotten: what they return is a constant.

A result lies in memory of the tape. As soon as nothing refers to it any more, a later result takes its place, as it
would in memory that NumPy allocates. So a tape needs no more memory than `run` itself, and finds it in the cache.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import numpy as np

from .recorded import Recorded, plain

ALIGNED = 64  # bytes: a line of the cache, and the widest vector registers


def taped(run: Callable) -> Callable:
    """A function of arrays that records `run` at its first call with arrays of their shapes and dtypes, and replays it
    from then on. Each thread has tapes of its own.

    A function that can't be recorded runs as it is in each call, after one warning.
    """
    own, refused = threading.local(), []

    def call(*arguments):
        kind = tuple((x.shape, x.dtype) for x in arguments)
        if kind in vars(own):
            return vars(own)[kind].replay(arguments)
        if not refused:
            try:
                vars(own)[kind] = tape = Tape(run, arguments)
                return tape.result.copy()
            except (TypeError, AttributeError) as error:
                refused.append(error)
                y = run(*arguments)  # raises the error if it was not about recording
                warnings.warn(f"a step is computed call by call, which is slower, as it can't be recorded: {error}",
                              stacklevel=2)
                return y
        return run(*arguments)

    return call


class Tape:
    """The calls of `run` for arrays of the shapes and dtypes of these arguments, and the result for these.

    Raises TypeError or AttributeError where `run` can't be recorded: it reads elements, or `Recorded` lacks something.
    """

    def __init__(self, run: Callable, arguments):
        self.calls, self.free = [], defaultdict(list)
        recorded = [self.holding(x) for x in arguments]
        result = run(*recorded)
        if not isinstance(result, Recorded):
            raise TypeError("its result does not depend on its arguments")
        # Arrays alone: Recorded ones refer to the tape, and would keep its memory until Python looks for cycles.
        self.arguments, self.result = plain(recorded), result.array

    def replay(self, arguments) -> np.ndarray:
        for own, x in zip(self.arguments, arguments, strict=True):
            own[...] = x
        for call in self.calls:
            call()
        return self.result.copy()

    def call(self, function: Callable, *inputs, out: Recorded | None = None, **options) -> Recorded:
        """Call a function that can write into an array `out`, and write that down."""
        if function is np.matmul:  # reads a factor faster row by row, as a constant is stored here once and for all
            inputs = [np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x for x in inputs]
        inputs = plain(inputs)
        if out is None:
            out = self.holding(np.asarray(function(*inputs, **options)))
        else:
            function(*inputs, out=out.array, **options)
        self.calls.append(partial(function, *inputs, out=out.array, **options))
        return out

    def call_and_copy(self, function: Callable, *inputs, **options) -> Recorded:
        """Call a function that returns a new array, and write that down."""
        new = partial(function, *plain(inputs), **options)
        y = self.holding(new())
        self.calls.append(partial(copy_new, y.array, new))
        return y

    def copy(self, target: np.ndarray, source) -> None:
        np.copyto(target, source, casting="unsafe")
        self.calls.append(partial(np.copyto, target, source, casting="unsafe"))

    def holding(self, values: np.ndarray) -> Recorded:
        y = self.empty(values.shape, values.dtype)
        y.array[...] = values
        return y

    def empty(self, shape, dtype) -> Recorded:
        block = Block(self.free, math.prod(shape) * np.dtype(dtype).itemsize)
        return Recorded(self, block, np.ndarray(shape, dtype, block.memory))


class Block:
    """Some of a tape's memory, which is free again when the last array in it is gone."""

    def __init__(self, free: dict[int, list[np.ndarray]], size: int):
        size = 1 << size.bit_length()  # a power of two, so that blocks fit again
        self.free = free[size]
        self.memory = self.free.pop() if self.free else aligned(size)

    def __del__(self):
        self.free.append(self.memory)


def copy_new(target: np.ndarray, new: Callable) -> None:
    np.copyto(target, new())


def aligned(size: int) -> np.ndarray:
    memory = np.empty(size + ALIGNED, np.uint8)
    return memory[-memory.ctypes.data % ALIGNED:][:size]

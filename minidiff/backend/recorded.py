"""The arrays with which a function is recorded on a tape (tape.py)."""

from __future__ import annotations

import operator

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

INTO_OUT = (np.clip, np.concatenate, np.mean, np.take)  # what can write into a given array, beside ufuncs
NEW = (np.pad, np.where)                                # what can't


class Recorded(NDArrayOperatorsMixin):
    """An array that depends on the arguments of a function that is being recorded, in a block of its tape's memory.

    It has what a NumPy array has and a tape can hold. As it is none, whatever else is done to it is an error, and never
    a wrong tape.
    """

    def __init__(self, tape, block, array: np.ndarray):
        self.tape, self.block, self.array = tape, block, array

    shape, dtype, ndim, size, itemsize, flags, strides = (
        property(operator.attrgetter("array." + name))
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "flags", "strides"))

    def __len__(self):
        return len(self.array)

    def _unreadable(self, *_, **__):
        raise TypeError("elements of an array are read")

    __array__ = __bool__ = __float__ = __int__ = __index__ = _unreadable

    def __array_ufunc__(self, ufunc, method, *inputs, out=(None,), **options):
        function = {"__call__": ufunc, "reduce": ufunc.reduce}.get(method)
        if function is None or ufunc.nout > 1 or not isinstance(out[0], Recorded | None):
            return NotImplemented
        return self.tape.call(function, *inputs, out=out[0], **options)

    def __array_function__(self, function, types, inputs, options):
        if function in INTO_OUT + NEW:
            return (self.tape.call if function in INTO_OUT else self.tape.call_and_copy)(function, *inputs, **options)
        if function is np.empty_like:
            return self.tape.empty(options.get("shape", self.shape), options.get("dtype") or self.dtype)
        return NotImplemented

    def sum(self, axis=None, **options):
        return np.add.reduce(self, axis=axis, **options)

    def max(self, axis=None, **options):
        return np.maximum.reduce(self, axis=axis, **options)

    mean, clip = np.mean, np.clip

    # Copies

    def __setitem__(self, key, value):
        target, source = self[key].array, plain(value)
        if not same(target, source):  # as they are in the end of `y[...] += x`
            self.tape.copy(target, source)

    def astype(self, dtype, copy=True):
        if not copy and self.dtype == dtype:
            return self
        y = self.tape.empty(self.shape, dtype)
        self.tape.copy(y.array, self.array)
        return y

    def copy(self):
        return self.astype(self.dtype)

    def repeat(self, count, axis):
        axis %= self.ndim
        shape = (*self.shape[:axis + 1], count, *self.shape[axis + 1:])
        y = self.tape.empty(shape, self.dtype)
        self.tape.copy(y.array, np.expand_dims(self.array, axis + 1))
        return y.reshape(*shape[:axis], -1, *shape[axis + 2:])

    # Views

    def reshape(self, *shape):
        found = self.array.reshape(*shape)
        if np.may_share_memory(found, self.array):
            return self._view(found)
        y = self.tape.empty(found.shape, self.dtype)
        self.tape.copy(y.array.reshape(self.shape), self.array)
        return y

    def __getitem__(self, key):
        return self._view(self.array[key])

    def __iter__(self):
        return map(self._view, self.array)

    def swapaxes(self, a, b):
        return self._view(self.array.swapaxes(a, b))

    def transpose(self, *axes):
        return self._view(self.array.transpose(*axes))

    T = property(transpose)

    def strided(self, shape, strides):
        return self._view(np.ndarray(shape, self.dtype, self.array, strides=strides))

    def _view(self, array):
        if array.size and not np.may_share_memory(array, self.array):
            raise TypeError("elements of an array are picked one by one")
        return Recorded(self.tape, self.block, array)


def plain(x):
    """What NumPy is called with."""
    if isinstance(x, list | tuple):
        return type(x)(map(plain, x))
    return x.array if isinstance(x, Recorded) else x


def same(a: np.ndarray, b) -> bool:
    """Whether two arrays are the same elements in memory."""
    return isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__

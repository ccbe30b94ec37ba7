"""The arrays with which a function is recorded on a tape (tape.py)."""

from __future__ import annotations

import operator
from functools import partial

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

# What can write into a given array, beside ufuncs, and what can't
INTO_OUT = (np.argmax, np.clip, np.concatenate, np.einsum, np.mean, np.take)
NEW = (np.pad, np.where)


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
        if method == "at" and isinstance(inputs[0], Recorded):
            return self.tape.do(partial(ufunc.at, *plain(inputs)))
        function = {"__call__": ufunc, "reduce": ufunc.reduce}.get(method)
        if function is None or ufunc.nout > 1 or not isinstance(out[0], Recorded | None):
            return NotImplemented
        return self.tape.call(function, *inputs, out=out[0], **options)

    def __array_function__(self, function, types, inputs, options):
        if function in INTO_OUT + NEW:
            return (self.tape.call if function in INTO_OUT else self.tape.call_and_copy)(function, *inputs, **options)
        if function is np.empty_like:
            return self._like(*inputs[1:], **options)
        if function is np.zeros_like:
            y = self._like(*inputs[1:], **options)
            y[...] = 0
            return y
        if function is np.split:
            return [self._view(part) for part in np.split(self.array, *inputs[1:], **options)]
        if function is np.broadcast_to:
            return self._view(np.broadcast_to(self.array, *inputs[1:]))
        return NotImplemented

    def _like(self, dtype=None, order="C", shape=None):
        return self.tape.empty(self.shape if shape is None else shape, dtype or self.dtype)

    def sum(self, axis=None, **options):
        return np.add.reduce(self, axis=axis, **options)

    def max(self, axis=None, **options):
        return np.maximum.reduce(self, axis=axis, **options)

    argmax, mean, clip = np.argmax, np.mean, np.clip

    # Copies

    def __setitem__(self, key, value):
        key, value = plain(key), plain(value)
        target = self.array[key]
        if self._overlaps(target):
            if not same(target, value):  # as they are in the end of `y[...] += x`
                self.tape.copy(target, value)
        else:
            self.tape.do(partial(operator.setitem, self.array, key, value))

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
        return y.reshape(*shape[:axis], shape[axis] * count, *shape[axis + 2:])

    # Views

    def reshape(self, *shape):
        found = self.array.reshape(*shape)
        if self._overlaps(found):
            return self._view(found)
        y = self.tape.empty(found.shape, self.dtype)
        self.tape.copy(y.array.reshape(self.shape), self.array)
        return y

    def __getitem__(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, Recorded) and part.dtype == bool for part in parts):
            raise TypeError("how many elements are picked depends on a mask")
        found = self.array[plain(key)]
        return self._view(found) if self._overlaps(found) else self.tape.call_and_copy(operator.getitem, self, key)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def swapaxes(self, a, b):
        return self._view(self.array.swapaxes(a, b))

    def transpose(self, *axes):
        return self._view(self.array.transpose(*axes))

    T = property(transpose)

    def strided(self, shape, strides):
        return self._view(np.ndarray(shape, self.dtype, self.array, strides=strides))

    def _view(self, array):
        return Recorded(self.tape, self.block, array)

    def _overlaps(self, array):
        """Whether these elements, found in this array, are a view of it: those that are picked one by one are none."""
        return isinstance(array, np.ndarray) and (not array.size or np.may_share_memory(array, self.array))


def plain(x):
    """What NumPy is called with."""
    if isinstance(x, dict):
        return dict(zip(x, map(plain, x.values()), strict=True))
    if isinstance(x, list | tuple):
        return type(x)(map(plain, x))
    return x.array if isinstance(x, Recorded) else x


def same(a: np.ndarray, b) -> bool:
    """Whether two arrays are the same elements in memory."""
    return isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__

"""Flat buffers: all parameters of a stage are views of one array, and so are their gradients.

An update is then one pass over memory, clipping one norm, and adding the gradients of several workers one sum.
"""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np

from ..backend import array_module, blocks, shared, to_device, to_host
from ..nn.module import Parameter

ALIGNED = 4      # elements of 16 bytes, at which a GPU reads a matrix best
BLOCK = 1 << 16  # elements that are updated together: few enough for all arrays of an update to stay in a core's cache


class Flat:
    """Parameters moved into one buffer `value`, their gradients into another, `grad`, in the order of `place`.

    Processes that are forked later share the memory of `value`, so it never moves; each may `collect_in` a gradient
    buffer of its own.
    """

    def __init__(self, parameters: list[Parameter], device: str = "cpu"):
        self.parameters = sorted({id(p): p for p in parameters}.values(), key=place)
        value = np.concatenate([to_host(p.value).reshape(-1) for p in self.parameters])
        self.value = shared(value) if device == "cpu" else to_device(value, device)
        self.collect_in(array_module(self.value).zeros_like(self.value))

    def collect_in(self, grad) -> None:
        """Have the gradients of the parameters summed in `grad`, a buffer like `value`."""
        self.grad = grad
        self._point_to(self.value, grad)

    @contextmanager
    def within(self, value, grad):
        """Inside, the parameters are views of `value`, and their gradients of `grad`."""
        own = value is self.value and grad is self.grad
        try:
            own or self._point_to(value, grad)
            yield
        finally:
            own or self._point_to(self.value, self.grad)

    def slices(self):
        """Each parameter with its slice of the buffers."""
        start = 0
        for parameter in self.parameters:
            yield parameter, slice(start, start := start + parameter.value.size)

    def blocks(self, start: int = 0, stop: int | None = None, unit: int = 1, size: int | None = None) -> list[slice]:
        """Slices of about `size` elements, each of whole units, that cover the buffers from `start` to `stop`.

        On a GPU it is one slice.
        """
        stop = len(self.value) if stop is None else stop
        return [slice(start + rows.start * unit, min(stop, start + rows.stop * unit))
                for rows in blocks(self.value[start:stop].reshape(-1, unit), size or BLOCK)]

    def _point_to(self, value, grad):
        for parameter, part in self.slices():
            shape = parameter.value.shape
            parameter.value, parameter.grad = value[part].reshape(shape), grad[part].reshape(shape)


def as_matrix(shape) -> tuple[int, int]:
    """(M, N) of the weight of a linear layer, or of a convolution with its taps and input channels as one axis."""
    return math.prod(shape[:-1]), shape[-1]


def place(parameter: Parameter) -> tuple:
    """Where a parameter lies: beside matrices of its size, which are beside those with the same shorter side. Last are
    those whose size would put the next one at an address that is no multiple of 16 bytes.
    """
    shape = parameter.value.shape
    matrix = as_matrix(shape) if len(shape) > 1 else (0, 0)
    return parameter.value.size % ALIGNED > 0, min(matrix), matrix, shape

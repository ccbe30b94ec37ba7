"""A recorder: while it is active, chosen modules report what they return, how long they took, and how they attended.

Nothing is computed a second time. A module gets a class of its own for as long, whose call is reported; and for the
weights of attention, which kernels do not keep, the op as it is written stands in for them, registered like a kernel.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..backend import array_module, to_host, without_graphs
from ..nn.clip_layers import CLIPAttention
from ..nn.module import Module
from ..nn.transformer import Attention
from ..ops.dispatch import load_kernels


class Call(NamedTuple):
    """A call of a module: its name, a copy of what it returned, on the host, and the seconds that it took.

    `weights` (N, A, Q, K) are those of an attention, else None.
    """

    name: str
    y: np.ndarray
    seconds: float
    weights: np.ndarray | None


def named_modules(module: Module, name: str) -> Iterator[tuple[str, Module]]:
    """A module and all modules inside it, with the names that their parameters begin with in a checkpoint."""
    yield name, module
    for attribute, value in vars(module).items():
        inside = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, item in inside:
            if isinstance(item, Module):
                yield from named_modules(item, f"{name}.{attribute}" + ("" if index is None else f".{index}"))


@contextmanager
def recording(modules: dict[str, Module]) -> Iterator[list[Call]]:
    """Inside, every call of these modules is appended to the list, in the order in which they return."""
    calls: list[Call] = []
    open_attentions: list[list] = []
    kinds = {module: type(module) for module in modules.values()}
    for name, module in modules.items():
        module.__class__ = reporting(kinds[module], name, calls, open_attentions)
    weight = next(parameter.value for module in kinds for parameter in module.parameters())
    device = "cpu" if array_module(weight) is np else "gpu"
    try:
        with seen_attention(device, open_attentions), without_graphs():
            yield calls
    finally:
        for module, kind in kinds.items():
            module.__class__ = kind


def reporting(kind: type, name: str, calls: list[Call], open_attentions: list[list]) -> type:
    """The same class of module, each call of which is reported."""
    attends = kind in (Attention, CLIPAttention)

    def call(module, *args):
        if attends:
            open_attentions.append([])
        start = time.perf_counter()
        result = kind.__call__(module, *args)
        seconds = time.perf_counter() - start
        seen = open_attentions.pop() if attends else []
        calls.append(Call(name, host_copy(result[0]), seconds, seen[0] if seen else None))
        return result

    return type(kind.__name__, (kind,), {"__call__": call})


@contextmanager
def seen_attention(device: str, open_attentions: list[list]) -> Iterator[None]:
    """Inside, the softmax of an attention that is open is seen; such an attention runs as it is written in ops/."""
    attention, softmax = inspect.unwrap(ops.attention), inspect.unwrap(ops.softmax)

    def seen_softmax(x):
        y, backward = softmax(x)
        open_attentions[-1].append(host_copy(y))
        return y, backward

    def is_open(*_, **__):
        return bool(open_attentions)

    load_kernels(device)
    places = [(ops.attention.kernels[device], (attention, is_open, False)),
              (ops.softmax.kernels[device], (seen_softmax, is_open, False))]
    for kernels, kernel in places:
        kernels.insert(0, kernel)
    try:
        yield
    finally:
        for kernels, kernel in places:
            kernels.remove(kernel)


def host_copy(array: Any) -> np.ndarray:
    """A copy: the next layer may add to the array in place."""
    return np.array(to_host(array))

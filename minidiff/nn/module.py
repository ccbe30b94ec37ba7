"""Objects with parameters, called like ops: `layer(x) -> (y, backward)`.

In a forward pass only `apply` reads parameter values, and only its backward adds to their gradients; `chain` runs
layers and ops in sequence. There is no automatic differentiation (backend/tape.py records calls, not derivatives): the
backward pass is written next to each forward pass, from the backward passes of its parts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from ..ops.op import no_grad
from .gradients import add_gradient


class Parameter:
    """A learned array, and the sum of its gradients since they were last cleared.

    A frozen one gets no gradient, and neither does the bias of a layer whose weight is frozen.
    """

    def __init__(self, value):
        self.value = value
        self.grad = None
        self.frozen = False


class Module:
    """An object with parameters. The attribute path of a parameter (`to_out.0.weight`) is its name in a checkpoint."""

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        for name, value in vars(self).items():
            yield from _named(prefix + name, value)

    def parameters(self) -> list[Parameter]:
        return [parameter for _, parameter in self.named_parameters()]

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside it."""
        yield self
        for value in vars(self).values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Module):
                    yield from item.modules()

    def replica(self):
        """A copy that shares the parameter values but has gradients of its own, so that each thread can work on one."""
        return copy.deepcopy(self, {id(p.value): p.value for p in self.parameters()} | {
            id(p.grad): None for p in self.parameters() if p.grad is not None})


def _named(path, value):
    if isinstance(value, Parameter):
        yield path, value
    elif isinstance(value, Module):
        yield from value.named_parameters(path + ".")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _named(f"{path}.{index}", item)


def apply(op, *args, **options):
    """Call an op on arrays and Parameters. `backward` accumulates the Parameters' gradients and returns the arrays'."""
    dtype = next((a.dtype for a in args if hasattr(a, "dtype") and a.dtype.kind == "f"), None)
    y, back = op(*(_value(a, dtype) if isinstance(a, Parameter) else a for a in args), **options)
    parameters = [a if isinstance(a, Parameter) else None for a in args]

    def backward(dy):
        others, grads = [], back(dy)
        for parameter, grad in zip(parameters, grads if isinstance(grads, tuple) else (grads,), strict=False):
            if parameter is None:
                others.append(grad)
            else:
                add_gradient(parameter, grad)
        return others[0] if len(others) == 1 else tuple(others)

    return y, backward


def _value(parameter, dtype):
    """The value of a parameter in the dtype of the arrays that it is used with."""
    return parameter.value if dtype is None else parameter.value.astype(dtype, copy=False)


def chain(x, *layers):
    """y = layers[-1](… layers[0](x)); backward runs their backward passes in reverse order."""
    backs = []
    for layer in layers:
        x, back = layer(x)
        backs.append(back)

    def backward(dy):
        for back in reversed(backs):
            dy = back(dy)
        return dy

    return x, backward


def residual(x, *layers):
    """y = x + layers(x), added in place: into the y of the last layer, and backward into the dx of the first.

    So that layer may not need its y in `backward`, nor the first one its dx after it has returned it.
    """
    y, layers_back = chain(x, *layers)
    y += x

    def backward(dy):
        dx = layers_back(dy)
        dx += dy
        return dx

    return y, backward


def identity(x):
    return x, lambda dy: dy


def recompute(layer):
    """The same layer, but its activations are dropped after the forward pass and recomputed in the backward pass.

    Gradient checkpointing (Chen et al. 2016): memory holds only the layer's input instead of everything inside it.
    """

    def call(*args):
        with no_grad():
            y, _ = layer(*args)
        return y, lambda dy: layer(*args)[1](dy)

    return call


def frozen(layer):
    """The same layer, not trained: it keeps no activations, and neither its parameters nor its input get gradients."""

    def call(*args):
        with no_grad():
            y, _ = layer(*args)
        return y, lambda dy: None

    return call

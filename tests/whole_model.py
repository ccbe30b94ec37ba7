"""Gradient checks of whole models in float64, along random directions through all parameters at once."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

STEP = 1e-5  # of the central difference: its error is about STEP² + 1e-16 / STEP


def in_double(model, rng):
    """The model with float64 parameters, moved a little so that scales of 1 and shifts of 0 are tested too."""
    for parameter in model.parameters():
        parameter.value = parameter.value + 0.1 * rng.standard_normal(parameter.value.shape)
        parameter.grad = None
    return model


def assert_gradients_are_central_differences(model, call, inputs, rng):
    """`call(*inputs) -> (y, backward)`, y an array or a tuple; integer inputs must have the gradient None.

    Every parameter contributes about equally to the directional derivative, so that no error can hide.
    """
    for parameter in model.parameters():
        parameter.grad = None
    y, backward = call(*inputs)
    dy = [rng.standard_normal(part.shape) for part in in_tuple(y)]
    dinputs = in_tuple(backward(*dy))

    def loss(*arrays):
        return sum(np.vdot(one, part) for one, part in zip(dy, in_tuple(call(*arrays)[0]), strict=True))

    for i, (x, dx) in enumerate(zip(inputs, dinputs, strict=True)):
        if x.dtype.kind != "f":
            assert dx is None
            continue
        assert dx.shape == x.shape
        direction = rng.standard_normal(x.shape)
        ahead, behind = (loss(*inputs[:i], x + step * direction, *inputs[i + 1 :]) for step in (STEP, -STEP))
        assert_allclose(np.vdot(dx, direction), (ahead - behind) / (2 * STEP), rtol=1e-6, atol=1e-9)

    named = {name: p for name, p in model.named_parameters() if p.grad is not None}
    largest = max(np.linalg.norm(p.grad) for p in named.values())
    directions = {name: rng.standard_normal(p.value.shape) / max(np.linalg.norm(p.grad), 0.01 * largest)
                  for name, p in named.items()}
    length = np.sqrt(sum(np.vdot(direction, direction) for direction in directions.values()))
    values = {name: p.value for name, p in named.items()}

    def along(step):
        for name, p in named.items():
            p.value = values[name] + step / length * directions[name]
        return loss(*inputs)

    difference = (along(STEP) - along(-STEP)) / (2 * STEP)
    along(0.0)
    derivative = sum(np.vdot(p.grad, directions[name]) for name, p in named.items()) / length
    assert_allclose(derivative, difference, rtol=1e-6, atol=1e-9)


def assert_every_parameter_has_a_gradient(model, but=()):
    """Keys' biases have none by nature: softmax does not change when the same is added to all scores."""
    for name, parameter in model.named_parameters():
        assert parameter.grad.shape == parameter.value.shape, name
        if not name.endswith(("k_proj.bias", "to_k.bias", *but)):
            assert np.linalg.norm(parameter.grad) > 1e-6, name


def in_tuple(y):
    return y if isinstance(y, tuple) else (y,)

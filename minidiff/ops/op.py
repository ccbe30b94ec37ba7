"""What makes a function of arrays an op: it returns `(y, backward)`.

`backward(dy)` returns one gradient per array argument, in argument order (a single one bare, not in a tuple).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools

_grad_enabled = contextvars.ContextVar("grad_enabled", default=True)


@contextlib.contextmanager
def no_grad():
    """Inside, ops drop their `backward` at once, so that no activation outlives the op that read it."""
    token = _grad_enabled.set(False)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def grad_enabled() -> bool:
    return _grad_enabled.get()


def no_backward(*_):
    raise RuntimeError("there is no backward pass: the forward pass ran under no_grad()")


def op(function):
    """Mark `function` as an op. The one place through which every op call passes."""

    @functools.wraps(function)
    def call(*args, **options):
        y, backward = function(*args, **options)
        return y, backward if _grad_enabled.get() else no_backward

    return call

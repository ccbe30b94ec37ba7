"""What makes a function of arrays an op: it returns `(y, backward)`.

`backward(dy)` returns one gradient per array argument, in argument order (a single one bare, not in a tuple).
"""

import contextlib
import contextvars
import functools

from .dispatch import kernel_for

_grad_enabled = contextvars.ContextVar("grad_enabled", default=True)


def op(function):
    """Mark `function` as an op. Every call of an op passes through here."""

    @functools.wraps(function)
    def call(*args, **options):
        run = kernel_for(call, args, options) or function
        y, backward = run(*args, **options)
        return y, backward if _grad_enabled.get() else no_backward

    call.kernels = {"cpu": [], "gpu": []}
    return call


@contextlib.contextmanager
def no_grad():
    """Inside, ops drop their `backward` at once, so that no activation outlives the op that read it."""
    token = _grad_enabled.set(False)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def grad_enabled():
    return _grad_enabled.get()


def no_backward(*_):
    raise RuntimeError("there is no backward pass: the forward pass ran under no_grad()")

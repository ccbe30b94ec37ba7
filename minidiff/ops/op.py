"""What an op is: a function of arrays that returns `(y, backward)`.

`backward(dy)` returns a gradient for each array argument, in order: None for token ids, none for the constant `weight`
of a loss, which comes last. A single one comes without tuple.
"""

import contextlib
import contextvars
import functools

from .dispatch import replaceable

_grad_enabled = contextvars.ContextVar("grad_enabled", default=True)


def op(function):
    """Make `function` an op: each call runs a kernel if there is one for it, and obeys `no_grad()`."""
    run = replaceable(function)

    @functools.wraps(run)
    def call(*args, **options):
        y, backward = run(*args, **options)
        return y, (backward if _grad_enabled.get() else no_backward)

    return call


@contextlib.contextmanager
def no_grad():
    """Within this context, ops drop their `backward` at once, so that no activation is kept for it."""
    token = _grad_enabled.set(False)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def grad_enabled():
    return _grad_enabled.get()


def no_backward(*_):
    raise RuntimeError("no backward pass: the forward pass ran under no_grad()")

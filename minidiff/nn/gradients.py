"""Where the gradients of parameters are summed: each as soon as it is known, or many at once."""

from __future__ import annotations

import contextlib
import contextvars

from ..backend import array_module
from ..ops.accumulate import accumulate

_waiting = contextvars.ContextVar("gradients to be added to those of their parameters", default=None)


def add_gradient(parameter, grad) -> None:
    """Add a gradient to those of a parameter; a frozen one gets none."""
    if parameter.frozen:
        return
    if parameter.grad is None:
        parameter.grad = array_module(grad).array(grad, parameter.value.dtype)
    elif (waiting := _waiting.get()) is not None:
        waiting += parameter.grad, grad
    else:
        accumulate(parameter.grad, grad)


@contextlib.contextmanager
def gradients_together(enabled=True):
    """Within this context, gradients are kept, and added to those of their parameters at its end, all at once.

    On a GPU this is one launch instead of hundreds; elsewhere it only costs memory.
    """
    waiting = [] if enabled else None
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    if waiting:
        accumulate(*waiting)

"""What a model computes is looked at before it is used: an image of values that are not finite would only be black.

NumPy's own warnings of overflow are switched off on the way, as they name no part of the model.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ..backend import array_module
from ..diffusion.samplers import State
from ..errors import UserError


def quiet(function: Callable) -> Callable:
    """The function without NumPy's warnings of overflow."""
    def call(*arrays):
        with np.errstate(all="ignore"):
            return function(*arrays)
    return call


def finite_steps(states: Iterator[State], scale: float) -> Iterator[State]:
    """The states of a sampler, with a guidance scale. Raises UserError at the first that is not finite."""
    for i in itertools.count(1):
        with np.errstate(all="ignore"):  # not around the yield: it would hold for the caller, too
            state = next(states, None)
        if state is None:
            return
        check_finite(f"the UNet's answer at step {i}, with guidance {scale:g},", state.x)
        yield state


def check_finite(part: str, values):
    """The same values. Raises UserError, which names the part that they come from, if any is infinite or no number."""
    if not array_module(values).isfinite(values).all():
        raise UserError(f"{part} is not finite: its weights, or those of a LoRA, are damaged or too large for this "
                        "dtype, or a setting is too large; use float32, a guidance near 7.5, or get the model again")
    return values

"""What a caller may pass to a pipeline: one function for each kind of value returns what is computed with."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from ..backend import array_module
from ..errors import UserError

LONGEST_NAME = 255  # bytes, on nearly all file systems


def whole(name: str, value: int, minimum: int) -> int:
    """The value as a Python int. Raises UserError unless it is a whole number from `minimum` to 2⁶³ − 1."""
    try:
        found = operator.index(value)
    except TypeError:
        found = minimum - 1
    if not minimum <= found < 2**63:
        raise UserError(f"{name} {value}: use a whole number from {minimum} to 2**63 - 1")
    return found


def number(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """The value as a Python float. Raises UserError unless it is a finite number from `low` to `high`."""
    if not isinstance(value, Real) or not math.isfinite(value) or not low <= value <= high:
        wanted = "a finite number" if math.isinf(low) else f"a number from {low:g} to {high:g}"
        raise UserError(f"{name} {value if isinstance(value, Real) else repr(value)}: use {wanted}")
    return float(value)


def interval(name: str, value: tuple[float, float]) -> tuple[float, float]:
    """Two numbers, of which the second may be infinite."""
    if not isinstance(value, Sequence) or len(value) != 2 or not all(
            isinstance(end, Real) and not math.isnan(end) for end in value):
        raise UserError(f"{name} {value!r}: use two numbers, the lower one first")
    return float(value[0]), float(value[1])


def texts(name: str, value: str | Sequence[str]) -> list[str]:
    """One text or several as a list. Raises UserError unless all are texts that can be written as UTF-8."""
    if isinstance(value, str):
        value = [value]
    try:
        found = list(value)
    except TypeError:
        found = [value]
    for one in found:
        if not isinstance(one, str):
            raise UserError(f"{name} has {one!r} in it: use a text, or a list of texts")
        if any("\ud800" <= letter <= "\udfff" for letter in one):
            raise UserError(f"{name} {one!r} has half a letter in it (a lone surrogate): leave it out")
    return found


def name(what: str, value: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{what} {value!r}: use a name")
    return value


def path(name: str, value: str | Path) -> Path:
    if not isinstance(value, str | Path) or "\0" in str(value) or any(
            len(os.fsencode(part)) > LONGEST_NAME for part in Path(value).parts):
        raise UserError(f"{name} {value!r}: use the name of a file or folder")
    return Path(value)


def noise(value: Any, shape: tuple[int, ...]) -> Any:
    """Latents of this shape (N, h, w, C). Raises UserError if they are no such array, or not finite."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        raise UserError(f"latents are a {type(value).__name__}: give an array of shape {shape}")
    if value.shape != shape:
        raise UserError(f"latents of shape {tuple(value.shape)}: {shape[0]} images of this size need {shape}")
    if getattr(value.dtype, "kind", "") not in ("f", "i", "u") or not array_module(value).isfinite(value).all():
        raise UserError(f"latents of {value.dtype} that are not all finite numbers: use standard normal noise")
    return value

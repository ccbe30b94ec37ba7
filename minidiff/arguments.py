"""What a caller may pass from Python: one function for each kind of value returns what is computed with."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from .backend import array_module
from .errors import UserError
from .fields import shown
from .reading import LONGEST_NAME, LONGEST_PATH


def whole(name: str, value: int, minimum: int) -> int:
    """The value as a Python int. Raises UserError unless it is a whole number from `minimum` to 2⁶³ − 1."""
    try:
        found = operator.index(value)
    except TypeError:
        found = minimum - 1
    if not minimum <= found < 2**63:
        raise UserError(f"{name} {shown(value)}: use a whole number from {minimum} to 2**63 - 1")
    return found


def number(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """The value as a Python float. Raises UserError unless it is a finite number from `low` to `high`."""
    found = _float(value)
    if not math.isfinite(found) or not low <= found <= high:
        bounds = "" if math.isinf(low) and math.isinf(high) else f" from {low:g} to {high:g}"
        raise UserError(f"{name} {shown(value)}: use a finite number{bounds}")
    return found


def interval(name: str, value: tuple[float, float]) -> tuple[float, float]:
    """Two numbers, of which the second may be infinite and is not below the first."""
    ends = tuple(map(_float, value)) if isinstance(value, Sequence) else ()
    if len(ends) != 2 or not (math.isfinite(ends[0]) and ends[0] <= ends[1]):  # as it is with NaN, too
        raise UserError(f"{name} {shown(value)}: use two numbers, the lower one first, which must be finite")
    return ends


def _float(value):
    """NaN for what is no number, or too large a one."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.nan


def items(name: str, value: Iterable) -> list:
    try:
        return list(value)
    except TypeError as error:
        raise UserError(f"{name} is {shown(value)}: use a list") from error


def texts(name: str, value: str | Iterable[str]) -> list[str]:
    """One text or several as a list."""
    found = [value] if isinstance(value, str) or not isinstance(value, Iterable) else items(name, value)
    for one in found:
        if not isinstance(one, str):
            raise UserError(f"{name} has {shown(one)} in it: use a text, or a list of texts")
    return found


def prompts(name: str, value: str | Iterable[str]) -> list[str]:
    """One text or several as a list. Raises UserError unless all are texts that can be written as UTF-8."""
    found = texts(name, value)
    for one in found:
        if any("\ud800" <= letter <= "\udfff" for letter in one):
            raise UserError(f"{name} {shown(one)} has half a letter in it (a lone surrogate): leave it out")
    return found


def instance(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{name} is a {type(value).__name__}: give a {kind.__name__}")
    return value


def name(what: str, value: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{what} {shown(value)}: use a name")
    return value


def path(name: str, value: str | Path) -> Path:
    """The value as a Path. Raises UserError if no file can have this name."""
    try:
        found = Path(value)
        if "\0" not in str(found) and len(os.fsencode(found)) <= LONGEST_PATH and all(
                len(os.fsencode(part)) <= LONGEST_NAME for part in found.parts):
            return found
    except (TypeError, UnicodeEncodeError):
        pass
    raise UserError(f"{name} {shown(value)}: use the name of a file or folder")


def noise(value: Any, shape: tuple[int, ...], place: Callable) -> Any:
    """Latents of this shape (N, h, w, C) where and as `place` puts them.

    Raises UserError if they are no such array, or not finite there.
    """
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        raise UserError(f"latents are a {type(value).__name__}: give an array of shape {shape}")
    if value.shape != shape:
        raise UserError(f"latents of shape {tuple(value.shape)}: {shape[0]} images of this size need {shape}")
    if getattr(value.dtype, "kind", "") in ("f", "i", "u"):
        with np.errstate(over="ignore"):
            placed = place(value)
        if array_module(placed).isfinite(placed).all():
            return placed
    raise UserError(f"latents of {value.dtype} that are not all finite numbers: use standard normal noise")

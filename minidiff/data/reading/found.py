"""What a search for captioned images finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

NO_STAMP = 0, 0
NO_CAPTION = "its caption is empty or no text"
NAMED = 10  # names that a message lists


def stamp_of(status: os.stat_result) -> tuple[int, int]:
    """Size and time of the last change, in ns: a file with the same ones is taken to be the same."""
    return status.st_size, status.st_mtime_ns


class Item(NamedTuple):
    """An image that has a caption; `read()` gives its encoded bytes, or its pixels as uint8 (H, W, 3)."""

    name: str
    caption: str
    read: Callable[[], bytes | np.ndarray]
    stamp: tuple[int, int] = NO_STAMP  # of its file, or of the file that contains it


class Problem(NamedTuple):
    """What cannot be used, and why."""

    name: str
    reason: str


class Found(NamedTuple):
    """The form that was recognised, the images sorted by name, and what is not used."""

    form: str
    items: list[Item]
    problems: list[Problem]


def shortened(names: list[str]) -> list[str]:
    """The first ten, and how many more there are."""
    return [*names[:NAMED], *([f"and {len(names) - NAMED} more"] if len(names) > NAMED else [])]

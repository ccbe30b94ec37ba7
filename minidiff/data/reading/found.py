"""What a search for captioned images finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Item(NamedTuple):
    """An image that has a caption; `read()` gives its encoded bytes, or its pixels as uint8 (H, W, 3)."""

    name: str
    caption: str
    read: Callable[[], bytes | np.ndarray]


class Problem(NamedTuple):
    """What cannot be used, and why."""

    name: str
    reason: str


class Found(NamedTuple):
    """The form that was recognised, the images sorted by name, and what is not used."""

    form: str
    items: list[Item]
    problems: list[Problem]

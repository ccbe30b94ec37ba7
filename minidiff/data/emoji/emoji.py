"""An emoji: its image, its name and other words for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .colours import OPAQUE, hue_of


@dataclass(frozen=True, eq=False)
class Emoji:
    """An image with alpha, uint8 (S, S, 4), its name and other words for it."""

    file: str
    name: str
    tags: tuple[str, ...]
    group: str
    has_tone: bool
    image: np.ndarray

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is opaque."""
        return box_of(self.image[..., 3] >= OPAQUE)

    @cached_property
    def filled(self) -> float:
        """The fraction of the square around what is opaque that is opaque."""
        left, top, right, bottom = self.box
        return float((self.image[..., 3] >= OPAQUE).sum() / max(right - left, bottom - top) ** 2)

    @cached_property
    def hue(self) -> float | None:
        """The hue in degrees that it is mostly of, if there is one."""
        return hue_of(self.image)


def box_of(inside: np.ndarray) -> tuple[int, int, int, int]:
    """The left, top, right and bottom edges of what is true in an array (H, W); if nothing is, of all of it."""
    (top, bottom), (left, right) = _extent(inside.any(axis=1)), _extent(inside.any(axis=0))
    return left, top, right, bottom


def _extent(line):
    inside = np.flatnonzero(line)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(line))

"""A contact sheet of the images that a model drew wrong."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image

from ..errors import UserError
from ..evaluation import Judged
from .images import grid


def failures(found: Iterable[Judged], limit: int = 36) -> Image.Image:
    """A grid of the first wrong images, each captioned with its prompt, what is wrong and what the judge saw.

    Raises UserError if no image is wrong.
    """
    wrong = [one for one in found if not one.right][:limit]
    if not wrong:
        raise UserError("no image is wrong: there is nothing to show")
    return grid([Image.fromarray(one.image) for one in wrong], [explanation(one) for one in wrong])


def explanation(one: Judged) -> str:
    """'a red ring: wrong colour, saw blue ring on white'"""
    wrong = " and ".join(name for name, correct in one.checks.items() if not correct and name != "right")
    seen = ", ".join(f"{found.colour} {found.shape or 'blob'}" for found in one.reading.objects) or "nothing"
    return f"{one.scene.caption}: wrong {wrong}, saw {seen} on {one.reading.background}"

"""What a model drew wrong, to see at a glance why."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image

from ..errors import UserError
from ..evaluation import Judged
from .images import grid


def failures(found: Iterable[Judged], most: int = 36) -> Image.Image:
    """The first wrong images, each with its prompt, what is wrong and what the judge saw.

    Raises UserError where none is wrong.
    """
    wrong = [one for one in found if not one.right][:most]
    if not wrong:
        raise UserError("no image is wrong: there is nothing to show")
    return grid([Image.fromarray(one.image) for one in wrong], [account(one) for one in wrong])


def account(one: Judged) -> str:
    """'a red ring: wrong colour, saw blue ring on white'"""
    wrong = " and ".join(name for name, holds in one.held.items() if not holds and name != "right")
    seen = ", ".join(f"{found.colour} {found.shape or 'blot'}" for found in one.reading.objects) or "nothing"
    return f"{one.scene.caption}: wrong {wrong}, saw {seen} on {one.reading.background}"

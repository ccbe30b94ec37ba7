"""A contact sheet of the images that a model drew wrong."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image

from ..errors import UserError
from ..evaluation import Judged, JudgedEmoji
from .images import grid


def failures(found: Iterable[Judged | JudgedEmoji], limit: int = 36) -> Image.Image:
    """A grid of the first wrong images, each captioned with its prompt, what is wrong and what the judge saw.

    Raises UserError if no image is wrong.
    """
    wrong = [one for one in found if not one.right][:limit]
    if not wrong:
        raise UserError("no image is wrong: there is nothing to show")
    return grid([Image.fromarray(one.image) for one in wrong], [one.explanation for one in wrong])

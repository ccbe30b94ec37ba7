"""The film of a run in the terminal: what the model takes the image for after each step, two pixels a letter.

▀ has the colour of a pixel in the foreground and of the one below it in the background.
"""

from __future__ import annotations

import os
import shutil
from typing import TextIO

import numpy as np
from PIL import Image

MOST_COLUMNS, OTHER_ROWS = 64, 3  # the rest of the terminal stays readable


class Film:
    """Shows the first of the images that are being drawn, in a terminal with colours."""

    def __init__(self, pipe, stream: TextIO):
        self.pipe, self.stream, self.height = pipe, stream, 0

    def show(self, moment) -> None:
        """Draw a moment of `Pipeline.stream` over the one before."""
        if moment.name not in ("sampling", "images"):
            return
        from ..backend import to_host
        from ..data.images import to_pillow

        images = moment.value if moment.name == "images" else self.pipe.decode(moment.value.denoised[:1])
        lines = half_blocks(to_pillow(to_host(images[:1]))[0], *shutil.get_terminal_size())
        back = f"\x1b[{self.height}A" if self.height else ""
        self.stream.write(back + "".join(f"{line}\x1b[K\n" for line in lines))
        self.stream.flush()
        self.height = 0 if moment.name == "images" else len(lines)


def has_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows half blocks in colour, as far as one can know."""
    letters = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return stream.isatty() and letters == "utf8" and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ


def half_blocks(image: Image.Image, columns: int, rows: int) -> list[str]:
    """An image as lines of at most so many letters, and at most so many lines but three; never enlarged."""
    fit = min(min(columns, MOST_COLUMNS) / image.width, 2 * max(1, rows - OTHER_ROWS) / image.height, 1.0)
    size = max(1, round(fit * image.width)), 2 * max(1, round(fit * image.height / 2))
    pixels = np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BOX)).tolist()
    return ["".join(f"\x1b[38;2;{r};{g};{b}m\x1b[48;2;{u};{v};{w}m▀"
                    for (r, g, b), (u, v, w) in zip(upper, lower, strict=True)) + "\x1b[0m"
            for upper, lower in zip(pixels[::2], pixels[1::2], strict=True)]

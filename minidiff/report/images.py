"""Images in a grid, each with its caption below."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

LEAST_WIDTH = 160   # narrower images are enlarged by a whole number: a caption needs room
MARGIN, LETTERS, LINE = 8, 12, 15
PAPER, INK = (255, 255, 255), (40, 40, 40)


def grid(images: Sequence[Image.Image], captions: Sequence[str], columns: int | None = None) -> Image.Image:
    """All images, of one size, from left to right and from top to bottom; as wide as high unless `columns` says."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    scale = math.ceil(LEAST_WIDTH / images[0].width)
    width, height = images[0].width * scale, images[0].height * scale
    font = ImageFont.load_default(LETTERS)
    texts = [wrapped(caption, font, width) for caption in captions]
    step = height + LINE * max(len(lines) for lines in texts) + 2 * MARGIN
    page = Image.new("RGB", (MARGIN + columns * (width + MARGIN), MARGIN + rows * step), PAPER)
    draw = ImageDraw.Draw(page)
    for i, (image, lines) in enumerate(zip(images, texts, strict=True)):
        x, y = MARGIN + i % columns * (width + MARGIN), MARGIN + i // columns * step
        page.paste(image.resize((width, height), Image.Resampling.NEAREST), (x, y))
        for j, line in enumerate(lines):
            draw.text((x, y + height + MARGIN // 2 + j * LINE), line, INK, font)
    return page


def wrapped(text: str, font, width: float, most: int = 4) -> list[str]:
    """A text in lines no wider than `width` pixels; what does not fit into `most` lines ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > most:
        lines[most - 1:] = [lines[most - 1] + "…"]
    return [cut(line, font, width) for line in lines]


def cut(line: str, font, width: float) -> str:
    """A line that fits, its end replaced by an ellipsis where it is too long."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"

"""Images in a grid, each with its caption below."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

MIN_WIDTH = 160   # narrower images are enlarged by a whole factor, to leave room for captions
MARGIN, FONT_SIZE, LINE_HEIGHT = 8, 12, 15
MOST_LETTERS = 2000  # of a caption: more than four lines have
PAPER, INK = (255, 255, 255), (40, 40, 40)


def grid(images: Sequence[Image.Image], captions: Sequence[str], columns: int | None = None) -> Image.Image:
    """Images of equal size with their captions, row by row; as many columns as rows unless `columns` is given."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    scale = math.ceil(MIN_WIDTH / images[0].width)
    width, height = images[0].width * scale, images[0].height * scale
    font = ImageFont.load_default(FONT_SIZE)
    texts = [wrapped(caption, font, width) for caption in captions]
    step = height + LINE_HEIGHT * max(len(lines) for lines in texts) + 2 * MARGIN
    page = Image.new("RGB", (MARGIN + columns * (width + MARGIN), MARGIN + rows * step), PAPER)
    draw = ImageDraw.Draw(page)
    for i, (image, lines) in enumerate(zip(images, texts, strict=True)):
        x, y = MARGIN + i % columns * (width + MARGIN), MARGIN + i // columns * step
        page.paste(image.resize((width, height), Image.Resampling.NEAREST), (x, y))
        for j, line in enumerate(lines):
            draw.text((x, y + height + MARGIN // 2 + j * LINE_HEIGHT), line, INK, font)
    return page


def wrapped(text: str, font, width: float, max_lines: int = 4) -> list[str]:
    """The text in lines of at most `width` pixels; beyond `max_lines` lines it is cut off with an ellipsis."""
    lines = [""]
    for word in text[:MOST_LETTERS].split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > max_lines:
        lines[max_lines - 1:] = [lines[max_lines - 1] + "…"]
    return [truncated(line, font, width) for line in lines]


def truncated(line: str, font, width: float) -> str:
    """The line, cut off with an ellipsis if it is wider than `width` pixels."""
    if font.getlength(line) <= width:
        return line
    fitting = bisect_right(range(len(line)), width, key=lambda count: font.getlength(line[:count] + "…"))
    return line[:max(0, fitting - 1)] + "…"

"""Drawing with Pillow: smooth lines, arrows and text, colour maps, and panels that have coordinates of their own.

Everything is drawn three times as large and scaled down at the end, which smooths the edges. Pillow's own font has no
Greek letters, so that figures spell them out.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCALE = 3
PAPER, INK, SOFT, FAINT = (255, 255, 255), (38, 42, 54), (120, 126, 142), (226, 229, 236)
BLUE, ORANGE, GREEN, RED, VIOLET = (46, 104, 198), (236, 130, 36), (46, 150, 104), (208, 62, 74), (122, 84, 190)


class Canvas:
    """A white page; positions and sizes are in pixels of the finished image."""

    def __init__(self, width: int, height: int):
        self.image = Image.new("RGB", (SCALE * width, SCALE * height), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def line(self, points, colour=INK, width=1.5):
        self.draw.line([scaled(point) for point in points], colour, max(1, round(SCALE * width)), joint="curve")

    def dashed(self, start, end, colour=SOFT, width=1.2, dash=5.0):
        steps = max(1, round(math.dist(start, end) / dash))
        points = np.linspace(start, end, steps + 1)
        for a, b in zip(points[::2], points[1::2], strict=False):
            self.line([a, b], colour, width)

    def polygon(self, points, colour):
        self.draw.polygon([scaled(point) for point in points], colour)

    def dot(self, centre, colour=INK, radius=2.0):
        x, y = centre
        self.draw.ellipse([*scaled((x - radius, y - radius)), *scaled((x + radius, y + radius))], colour)

    def box(self, left, top, right, bottom, fill=None, outline=None, radius=0.0, width=1.2):
        self.draw.rounded_rectangle([*scaled((left, top)), *scaled((right, bottom))], SCALE * radius, fill, outline,
                                    round(SCALE * width))

    def arrow(self, start, end, colour=INK, width=1.5, head=6.0):
        """A line with a triangle at its end."""
        (x0, y0), (x1, y1) = start, end
        length = math.hypot(x1 - x0, y1 - y0)
        if length == 0:
            return
        u, v = (x1 - x0) / length, (y1 - y0) / length
        head = min(head, length)
        base = x1 - head * u, y1 - head * v
        self.line([start, base], colour, width)
        self.polygon([end, (base[0] - 0.42 * head * v, base[1] + 0.42 * head * u),
                      (base[0] + 0.42 * head * v, base[1] - 0.42 * head * u)], colour)

    def text(self, position, text, colour=INK, size=13.0, anchor="mm"):
        """Text whose `anchor` is Pillow's: l, m, r, then a, m, s for top, middle, baseline."""
        self.draw.text(scaled(position), text, colour, ImageFont.load_default(SCALE * size), anchor)

    def vertical(self, centre, text, colour=INK, size=13.0):
        """Text that is read from the bottom up."""
        font = ImageFont.load_default(SCALE * size)
        ink = Image.new("L", (math.ceil(font.getlength(text)), round(1.4 * SCALE * size)))
        ImageDraw.Draw(ink).text((ink.width / 2, ink.height / 2), text, 255, font, "mm")
        ink = ink.transpose(Image.Transpose.ROTATE_90)
        x, y = scaled(centre)
        self.image.paste(colour, (round(x - ink.width / 2), round(y - ink.height / 2)), ink)

    def place(self, pixels, left, top, width, height, smooth=True):
        """An array of pixels (H, W, 3), uint8, stretched over a rectangle."""
        size = round(SCALE * width), round(SCALE * height)
        method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
        self.image.paste(Image.fromarray(pixels).resize(size, method), tuple(map(round, scaled((left, top)))))

    def finished(self) -> Image.Image:
        """The image in its final size, in 256 colours, which keeps its file small."""
        return self.image.reduce(SCALE).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


class Panel:
    """A rectangle of a canvas with coordinates of its own, linear or, with `log`, decades."""

    def __init__(self, canvas: Canvas, box, x, y, log=False):
        self.canvas, self.box, self.log = canvas, box, log
        self.x, self.y = ((math.log10(low), math.log10(high)) if log else (low, high) for low, high in (x, y))

    def at(self, x, y):
        left, top, right, bottom = self.box
        x, y = (math.log10(x), math.log10(y)) if self.log else (x, y)
        return (left + (right - left) * (x - self.x[0]) / (self.x[1] - self.x[0]),
                bottom - (bottom - top) * (y - self.y[0]) / (self.y[1] - self.y[0]))

    def curve(self, xs, ys, colour=BLUE, width=2.0):
        self.canvas.line([self.at(x, y) for x, y in zip(xs, ys, strict=True)], colour, width)

    def frame(self, x_ticks=(), y_ticks=(), written=str):
        """Faint lines at the ticks, their values beside them, and a border."""
        left, top, right, bottom = self.box
        for tick in x_ticks:
            x, _ = self.at(tick, 1.0)
            self.canvas.line([(x, top), (x, bottom)], FAINT, 1.0)
            self.canvas.text((x, bottom + 11), written(tick), SOFT, 11)
        for tick in y_ticks:
            _, y = self.at(1.0, tick)
            self.canvas.line([(left, y), (right, y)], FAINT, 1.0)
            self.canvas.text((left - 7, y), written(tick), SOFT, 11, "rm")
        self.canvas.box(left, top, right, bottom, outline=SOFT, width=1.0)


def scaled(point):
    x, y = point
    return SCALE * float(x), SCALE * float(y)


def blend(colour, other, fraction):
    """`colour` at fraction 0, `other` at 1."""
    return tuple(round(a + fraction * (b - a)) for a, b in zip(colour, other, strict=True))


def heat(values, colour=BLUE):
    """Values from 0 to 1 as pixels from white to a colour: (H, W) -> (H, W, 3), uint8."""
    return np.uint8(np.round(255 + values[..., None] * (np.array(colour) - 255.0)))

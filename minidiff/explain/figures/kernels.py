"""What limits an op, measured; windows as rows of a matrix; a Winograd tile."""

from __future__ import annotations

import numpy as np

from ..canvas import BLUE, FAINT, GREEN, INK, ORANGE, PAPER, RED, SOFT, Canvas, Panel, blend, heat

# One core of an AMD EPYC, from benchmarks/results/amd-epyc-2-cores/ops.json: GFLOP/s of large products, GB/s of copies
# in the cache and in memory, and ms of forward passes.
PEAK, CACHE, MEMORY = 99.4, 90.0, 26.0
MEASURED = (  # millions of operations (5 an element for SiLU, 8 for group norm) and of bytes; plain, with kernel
    ("SiLU", 1.31, 2.10, 0.22, 0.24, (0.45, 3.7)),
    ("group norm", 2.10, 2.10, 2.88, 0.25, (1.4, 0.42)),
    ("conv 1 x 1", 33.6, 2.11, 0.67, 0.50, (14, 33)),
    ("linear", 537, 10.7, 6.61, 6.40, (32, 125)),
    ("attention", 537, 8.39, 30.61, 17.12, (66, 10)),
    ("conv 3 x 3", 302, 2.24, 7.22, 2.10, (180, 230)),
)


def figure():
    canvas = Canvas(980, 400)
    roofline(canvas)
    columns(canvas)
    winograd(canvas)
    return canvas.finished()


def roofline(canvas):
    """GFLOP/s over operations per byte: hollow dots are plain ops, full ones kernels."""
    panel = Panel(canvas, (60, 60, 390, 340), (0.2, 500), (0.3, 500), log=True)
    panel.frame((1, 10, 100), (1, 10, 100), lambda tick: f"{tick}")
    canvas.text((225, 24), "what limits an op", INK, 15)
    canvas.text((225, 374), "operations per byte that must be moved", SOFT, 12)
    canvas.vertical((16, 200), "GFLOP/s", SOFT, 12)
    for speed, colour in ((MEMORY, SOFT), (CACHE, blend(SOFT, PAPER, 0.45))):
        panel.curve((0.2, PEAK / speed, 500), (0.2 * speed, PEAK, PEAK), colour, 2.0)
    canvas.text(panel.at(1.5, 16), "memory 26 GB/s", SOFT, 11, "lm")
    canvas.text(panel.at(0.25, 58), "cache 90 GB/s", blend(SOFT, PAPER, 0.3), 11, "lm")
    canvas.text(panel.at(450, 72), "99 GFLOP/s", SOFT, 11, "rm")
    for place, text, inner in ((0.9, "plain op", PAPER), (0.48, "kernel", BLUE)):
        dot(canvas, panel.at(12, place), inner)
        canvas.text(panel.at(17, place), text, SOFT, 12, "lm")
    for name, operations, count, plain, kernel, place in MEASURED:
        start, end = (panel.at(operations / count, operations / time) for time in (plain, kernel))
        canvas.arrow(start, end, BLUE, 1.4, 6)
        dot(canvas, start, PAPER)
        dot(canvas, end, BLUE)
        canvas.text(panel.at(*place), name, INK, 12)


def dot(canvas, centre, inner):
    canvas.dot(centre, BLUE, 4.5)
    canvas.dot(centre, inner, 3)


def columns(canvas):
    """Four windows of an image, and the rows that they become."""
    canvas.text((545, 24), "a convolution is a matrix product", INK, 15)
    image = np.linspace(0.15, 0.6, 36).reshape(6, 6)
    left, top, side = 425, 66, 22
    canvas.place(heat(image, BLUE), left, top, 6 * side, 6 * side, smooth=False)
    cells(canvas, left, top, 6, 6, side)
    canvas.text((left + 66, top + 147), "x, windows of 3 x 3", SOFT, 12)
    for i, (colour, row, column) in enumerate(((RED, 0, 0), (ORANGE, 1, 2), (GREEN, 3, 3))):
        canvas.box(left + side * column, top + side * row, left + side * (column + 3), top + side * (row + 3),
                   outline=colour, width=2.5)
        window, down = image[row : row + 3, column : column + 3].reshape(1, 9), 262 + 32 * i
        canvas.place(heat(window, BLUE), left, down, 9 * 16, 16, smooth=False)
        cells(canvas, left, down, 1, 9, 16)
        canvas.box(left, down, left + 144, down + 16, outline=colour, width=2.5)
        canvas.box(626, down, 674, down + 16, blend(colour, PAPER, 0.75), colour)
    canvas.text((left + 72, 366), "windows", SOFT, 12)
    canvas.text((584, 302), "x", INK, 14)
    canvas.box(594, 254, 612, 350, blend(INK, PAPER, 0.8), INK)
    canvas.text((603, 366), "weight", SOFT, 12)
    canvas.text((619, 302), "=", INK, 14)
    canvas.text((652, 366), "y", SOFT, 12)


def winograd(canvas):
    """6 x 6 pixels in, 36 products, 4 x 4 pixels out."""
    canvas.text((845, 24), "Winograd: 36 products, not 144", INK, 15)
    stages = ((6, BLUE, "6 x 6 pixels of x", 66), (6, GREEN, "times 36 of w", 194),
              (4, RED, "4 x 4 pixels of y", 322))
    side = 15
    for size, colour, name, top in stages:
        left = 790 - size * side / 2
        canvas.box(left, top, left + size * side, top + size * side, blend(colour, PAPER, 0.75))
        cells(canvas, left, top, size, size, side)
        canvas.box(left, top, left + size * side, top + size * side, outline=colour, width=2)
        canvas.text((left + size * side + 10, top + size * side / 2), name, INK, 12, "lm")
    for start, end, name in ((158, 192, "B"), (286, 320, "A")):
        canvas.arrow((790, start), (790, end), INK, 1.6, 8)
        canvas.text((804, (start + end) / 2), name, INK, 14, "lm")


def cells(canvas, left, top, rows, columns, side):
    for i in range(rows + 1):
        canvas.line([(left, top + i * side), (left + columns * side, top + i * side)], FAINT, 0.8)
    for j in range(columns + 1):
        canvas.line([(left + j * side, top), (left + j * side, top + rows * side)], FAINT, 0.8)

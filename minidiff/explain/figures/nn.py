"""The residual block and the transformer block, with what flows forward (blue) and backward (red)."""

from __future__ import annotations

from ..canvas import BLUE, INK, PAPER, RED, SOFT, VIOLET, Canvas, blend

APART = 4.5  # between an arrow forward and its arrow backward


def figure():
    canvas = Canvas(980, 478)
    residual_block(canvas, 138)
    transformer_block(canvas, 360)
    canvas.arrow((40, 462), (78, 462), BLUE, 2, 8)
    canvas.text((86, 462), "forward", BLUE, 12, "lm")
    canvas.arrow((190, 462), (152, 462), RED, 2, 8)
    canvas.text((198, 462), "backward: a sum copies its gradient; what is used twice adds up two", RED, 12, "lm")
    return canvas.finished()


def residual_block(canvas, y):
    canvas.text((24, 22), "ResBlock", INK, 16, "lm")
    names = ("norm1", "silu", "conv1", None, "norm2", "silu", "conv2", None)
    places = row(canvas, y, names, 104)
    ends(canvas, y, "x", "y")
    plus = places[3]
    for i, name in enumerate(("silu", "time_emb_proj")):
        box(canvas, plus - 250 + 132 * i, y - 72, name, VIOLET, 112)
    both(canvas, (40, y - 72), (plus - 306, y - 72))
    canvas.text((40, y - 88), "time_emb (N, F)", BLUE, 12, "lm")
    both(canvas, (plus - 194, y - 72), (plus - 174, y - 72))
    corner(canvas, (plus - 62, y - 72), (plus, y - 12))
    canvas.text((plus - 10, y - 56), "(N, O)", SOFT, 12, "rm")
    canvas.text((plus + 10, y - 40), "to all pixels; backward sums over them", SOFT, 12, "lm")
    skip(canvas, 72, places[7], y, 60, "conv_shortcut")
    canvas.text((104, y + 34), "(N, H, W, I)", SOFT, 12, "lm")
    canvas.text((plus + 12, y + 34), "(N, H, W, O)", SOFT, 12, "lm")


def transformer_block(canvas, y):
    canvas.text((24, y - 100), "TransformerBlock", INK, 16, "lm")
    names = ("norm1", "attn1", None, "norm2", "attn2", None, "norm3", "ff", None)
    places = row(canvas, y, names, 92)
    ends(canvas, y, "x", "y")
    for start, end in zip((72, places[2] + 14, places[5] + 14), (places[2], places[5], places[8]), strict=True):
        skip(canvas, start, end, y, 52)
    cross = places[4]
    both(canvas, (cross, y - 78), (cross, y - 18))
    canvas.text((cross + 12, y - 66), "context (N, K, D): keys and values", BLUE, 12, "lm")
    canvas.text((cross + 12, y - 48), "dcontext, on to the text encoder", RED, 12, "lm")
    canvas.text((places[1], y - 32), "pixel to pixel", SOFT, 12)
    canvas.text((cross - 14, y - 32), "pixel to word", SOFT, 12, "rm")
    canvas.text((places[7], y - 32), "each pixel alone", SOFT, 12)
    canvas.text((104, y + 34), "(N, T, C)", SOFT, 12, "lm")


def row(canvas, y, names, step):
    """Boxes, and circles with a plus for None, connected from left to right. Returns the centres."""
    places = [144 + i * step for i in range(len(names))]
    edge = 40
    for place, name in zip(places, names, strict=True):
        half = 12 if name is None else 36
        both(canvas, (edge, y), (place - half, y))
        if name is None:
            plus(canvas, place, y)
        else:
            box(canvas, place, y, name, BLUE, 72)
        edge = place + half
    both(canvas, (edge, y), (952, y))
    return places


def ends(canvas, y, x, result):
    canvas.text((26, y - 6), x, BLUE, 14)
    canvas.text((24, y + 10), f"d{x}", RED, 13)
    canvas.text((964, y - 6), result, BLUE, 14)
    canvas.text((964, y + 10), f"d{result}", RED, 13)


def box(canvas, x, y, name, colour, width):
    canvas.box(x - width / 2, y - 18, x + width / 2, y + 18, blend(colour, PAPER, 0.9), colour, 6)
    canvas.text((x, y), name, INK, 13)


def plus(canvas, x, y):
    canvas.dot((x, y), INK, 12)
    canvas.dot((x, y), PAPER, 10.6)
    canvas.line([(x - 6, y), (x + 6, y)], INK, 1.6)
    canvas.line([(x, y - 6), (x, y + 6)], INK, 1.6)


def both(canvas, start, end):
    """Blue from start to end, red back beside it; horizontal or downwards."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = (0, APART) if y0 == y1 else (APART, 0)
    canvas.arrow((x0 - dx, y0 - dy), (x1 - dx, y1 - dy), BLUE, 1.8, 7)
    canvas.arrow((x1 + dx, y1 + dy), (x0 + dx, y0 + dy), RED, 1.8, 7)


def corner(canvas, start, end):
    """To the right, then down."""
    (x0, y0), (x1, y1) = start, end
    canvas.line([(x0, y0 - APART), (x1 + APART, y0 - APART), (x1 + APART, y1 - 6)], BLUE, 1.8)
    canvas.arrow((x1 + APART, y1 - 8), (x1 + APART, y1), BLUE, 1.8, 7)
    canvas.line([(x1 - APART, y1), (x1 - APART, y0 + APART), (x0 + 6, y0 + APART)], RED, 1.8)
    canvas.arrow((x0 + 8, y0 + APART), (x0, y0 + APART), RED, 1.8, 7)


def skip(canvas, start, end, y, depth, name=None):
    """A path around the row, below it."""
    low = y + depth
    for offset, colour in ((-APART, BLUE), (APART, RED)):
        near, far = start - offset, end + offset
        path = [(near, y + 8), (near, low + offset), (far, low + offset), (far, y + 14)]
        canvas.line(path, colour, 1.8)
        tip = path[-1] if colour == BLUE else path[0]
        canvas.arrow((tip[0], tip[1] + 8), tip, colour, 1.8, 7)
    if name:
        box(canvas, (start + end) / 2, low, name, VIOLET, 120)

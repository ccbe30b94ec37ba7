"""How the judge reads an image; which pairs of words are held out; a drawing whose hue is turned; batches by index."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ...backend import random_stream
from ...data.emoji.colours import HUES, hue_of, recoloured
from ...data.judge import MIN_OVERLAP, OBJECT_DISTANCE, read, shape_overlaps
from ...data.purposes import Purpose
from ...data.scenes import BACKGROUNDS, COLOURS, HELD_OUT, SHAPES, Scene, Thing, draw_scene
from ..canvas import BLUE, FAINT, GREEN, INK, PAPER, RED, SOFT, Canvas, blend, heat

READ = Scene((Thing("pink", "star", (20.0, 23.0), 13.0), Thing("cyan", "ring", (45.0, 44.0), 11.0)), "gray")
SIDE, TOP = 132, 52


def figure():
    canvas = Canvas(980, 596)
    judge(canvas)
    pairs(canvas, 24, 268)
    hues(canvas, 410, 268)
    batches(canvas, 410, 424)
    return canvas.finished()


def judge(canvas):
    """An image, how far its pixels are from the background's colour, components, a shape, a reading."""
    image = READ.image()
    distance = np.abs(image.astype(int) - BACKGROUNDS[READ.background]).sum(axis=2)
    reading = read(image)
    canvas.text((24, 22), "how an image is read, without its caption", INK, 15, "lm")
    lefts = [24 + 186 * i for i in range(3)]
    for left, pixels in zip(lefts, (image, heat(distance / distance.max(), INK), parts(image, distance)), strict=True):
        canvas.place(pixels, left, TOP, SIDE, SIDE, smooth=False)
        canvas.box(left, TOP, left + SIDE, TOP + SIDE, outline=SOFT, width=1)
        canvas.arrow((left + SIDE + 12, TOP + SIDE / 2), (left + SIDE + 44, TOP + SIDE / 2), SOFT, 2, 8)
    texts = (("the median of the border", "is the background"), ("distance of each pixel", "from that colour"),
             (f"more than {OBJECT_DISTANCE}, connected:", "two objects, their boxes"))
    for left, lines in zip(lefts, texts, strict=True):
        for i, line in enumerate(lines):
            canvas.text((left + SIDE / 2, TOP + SIDE + 13 + 15 * i), line, SOFT, 12)
    overlaps(canvas, distance > OBJECT_DISTANCE, reading.objects[0].box, 590)
    left = 800
    canvas.arrow((758, TOP + SIDE / 2), (788, TOP + SIDE / 2), SOFT, 2, 8)
    canvas.text((left, TOP + 10), "Reading", INK, 14, "lm")
    lines = [f"background: {reading.background}"]
    for found in reading.objects:
        x, y = found.centre
        lines += [f"a {found.size} {found.colour} {found.shape}", f"   at {x:.0f}, {y:.0f}"]
    for i, line in enumerate(lines):
        canvas.text((left, TOP + 34 + 19 * i), line, GREEN, 13, "lm")
    canvas.text((left, TOP + SIDE + 13), "then it is compared", SOFT, 12, "lm")
    canvas.text((left, TOP + SIDE + 28), "with the caption", SOFT, 12, "lm")


def parts(image, distance):
    """What stands out in its own colour on white."""
    return np.where((distance > OBJECT_DISTANCE)[..., None], image, np.uint8(255))


def overlaps(canvas, mask, box, left):
    """Bars of the intersection over union of an object with each of the eight shapes."""
    x0, y0, x1, y1 = map(int, box)
    canvas.text((left + 80, TOP - 9), "overlap of the first with", SOFT, 12)
    found = shape_overlaps(mask[y0:y1, x0:x1])
    for i, (shape, overlap) in enumerate(zip(SHAPES, found, strict=True)):
        y, best = TOP + 9 + 16.5 * i, overlap == found.max()
        canvas.text((left + 52, y), shape, GREEN if best else SOFT, 12, "rm")
        canvas.box(left + 58, y - 5, left + 58 + 96 * overlap, y + 5, GREEN if best else blend(SOFT, PAPER, 0.55))
    limit = left + 58 + 96 * MIN_OVERLAP
    canvas.dashed((limit, TOP), (limit, TOP + SIDE), RED, 1.2)
    canvas.text((limit, TOP + SIDE + 13), f"at least {MIN_OVERLAP}", RED, 12)


def pairs(canvas, left, top):
    """All colours of all shapes; those that are held out."""
    canvas.text((left, top), "64 pairs of words, eight of them never trained on", INK, 15, "lm")
    cell, white = 35, 250
    for row, colour in enumerate(COLOURS):
        canvas.text((left + 46, top + 58 + cell * row), colour, SOFT, 12, "rm")
        for column, shape in enumerate(SHAPES):
            x, y = left + 54 + cell * column, top + 41 + cell * row
            thing = Scene((Thing(colour, shape, (32.0, 32.0), 26.0),)).image(96)
            thing = np.where(thing >= white, np.uint8(255), thing)
            canvas.place(thing, x + 2, y + 2, cell - 4, cell - 4)
            if (colour, shape) in HELD_OUT:
                canvas.box(x, y, x + cell, y + cell, outline=RED, radius=5, width=2)
    for column, shape in enumerate(SHAPES):
        canvas.text((left + 54 + cell * (column + 0.5), top + 28), shape, SOFT, 9.5)


def hues(canvas, left, top):
    """An apple in all colours: what is of its main hue turns, its leaf, its stem, its light and its shade stay."""
    canvas.text((left, top), "a drawing, and its hue turned: light, shade and leaf stay", INK, 15, "lm")
    image = apple()
    hue = hue_of(image)
    shown = [("as it is", image)] + [(colour, recoloured(image, colour, hue)) for colour in HUES if colour != "red"]
    for i, (name, one) in enumerate(shown):
        x = left + 68 * i
        paper = Image.new("RGBA", one.shape[1::-1], (*PAPER, 255))
        paper.alpha_composite(Image.fromarray(one))
        canvas.place(np.asarray(paper.convert("RGB")), x, top + 24, 62, 62)
        canvas.text((x + 31, top + 100), name, SOFT, 12)


def apple(size=192):
    """An apple with light and shade, (size, size, 4)."""
    y, x = np.mgrid[:size, :size] / size
    body = np.minimum(np.hypot((x - 0.38) / 1.0, (y - 0.57) / 1.1), np.hypot((x - 0.62) / 1.0, (y - 0.57) / 1.1)) < 0.3
    shade = np.hypot(x - 0.42, y - 0.46) > 0.33
    glint = np.hypot((x - 0.31) / 0.7, y - 0.45) < 0.075
    pixels = np.zeros((size, size, 4), np.uint8)
    for part, colour in ((body, (235, 52, 60)), (body & shade, (178, 38, 52)), (body & glint, (255, 178, 176))):
        pixels[part] = *colour, 255
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    draw.line([(0.5 * size, 0.34 * size), (0.53 * size, 0.14 * size)], (104, 66, 38, 255), round(0.045 * size))
    draw.ellipse([0.53 * size, 0.12 * size, 0.82 * size, 0.26 * size], (86, 168, 66, 255))
    return np.asarray(image)


def batches(canvas, left, top):
    """The first images of some batches of scenes, each from a counter of its own."""
    canvas.text((left, top), "batches: a function of seed, purpose and index", INK, 15, "lm")
    for row, index in enumerate((0, 1, 41_872)):
        y = top + 18 + 47 * row
        canvas.text((left + 44, y + 21), f"{index:,}", BLUE, 13, "rm")
        rng = random_stream(0, Purpose.SCENES, index)
        for i in range(11):
            x = left + 54 + 45 * i
            canvas.place(draw_scene(rng).image(64), x, y, 42, 42)
            canvas.box(x, y, x + 42, y + 42, outline=FAINT, width=1)

"""A forward and a backward pass; a derivative that proves a gradient; what a convolution does with one pixel; SiLU."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import random_stream
from ..canvas import BLUE, FAINT, GREEN, INK, ORANGE, RED, SOFT, Canvas, Panel, blend, heat

STEPS = 10.0 ** np.arange(-12, 0.01, 0.5)
SHAPE, GROUPS = (2, 3, 4, 6), 2
KERNEL = np.array([[1.0, 0.0, 0.0], [0.75, 0.0, 0.0], [0.5, 0.25, 0.1]])


def figure():
    canvas = Canvas(960, 520)
    with ops.plain():  # a kernel's rounding errors, which one curve shows, depend on the machine's BLAS
        passes(canvas)
        derivatives(canvas)
        convolutions(canvas)
        activation(canvas)
    return canvas.finished()


def passes(canvas):
    """Ops in a row: x goes through them from left to right, dy back."""
    blocks = ("group_norm", "silu", "conv2d", "mse")
    values = ("x", "h1", "h2", "y", "loss")
    tops = 62, 104
    for i, name in enumerate(blocks):
        left = 130 + 200 * i
        canvas.box(left, 40, left + 110, 126, blend(BLUE, (255, 255, 255), 0.93), BLUE, 8)
        canvas.text((left + 55, 83), name, INK, 15)
    for i, value in enumerate(values):
        left = 40 + 200 * i
        canvas.arrow((left + 2, tops[0]), (left + 88, tops[0]), BLUE, 2.2, 9)
        canvas.arrow((left + 88, tops[1]), (left + 2, tops[1]), RED, 2.2, 9)
        canvas.text((left + 45, tops[0] - 12), value, BLUE, 14)
        canvas.text((left + 45, tops[1] + 13), "1.0" if value == "loss" else f"d{value}", RED, 14)
    for i, name in ((0, "dweight, dbias"), (2, "dweight, dbias")):
        canvas.arrow((185 + 200 * i, 127), (185 + 200 * i, 152), RED, 1.6, 7)
        canvas.text((185 + 200 * i, 163), name, RED, 13)
    canvas.text((480, 16), "each op returns (y, backward); the backward functions run in reverse", SOFT, 14)


def derivatives(canvas):
    """The error of a directional derivative of group norm, for its gradient and for two that lack one of its sums."""
    panel = Panel(canvas, (76, 236, 400, 470), (STEPS[0], 1), (1e-12, 1e2), log=True)
    panel.frame(10.0 ** np.arange(-12, 1, 3), 10.0 ** np.arange(-12, 1, 3), lambda tick: f"1e{np.log10(tick):.0f}")
    canvas.text((237, 210), "does backward agree with a difference quotient?", INK, 14)
    canvas.text((237, 500), "step of the difference quotient", SOFT, 12)
    labels = (("group norm", GREEN, (3e-10, 1.5e-9)), ("without mean(dxhat)", ORANGE, (3e-8, 8.0)),
              ("without mean(dxhat xhat)", RED, (3e-8, 2.5e-2)))
    for errors, (name, colour, place) in zip(relative_errors(), labels, strict=True):
        panel.curve(STEPS, errors, colour, 2.2)
        canvas.text(panel.at(*place), name, colour, 12)
    canvas.vertical((22, 353), "relative error", SOFT, 12)


def relative_errors():
    """For each of three gradients: |⟨dx, u⟩ − (L(x + h u) − L(x − h u)) / 2h| / |⟨dx, u⟩|, L = ⟨dy, y⟩, by step h."""
    rng = random_stream(9)
    x, dy, u = rng.standard_normal((3, *SHAPE))
    weight, bias = rng.standard_normal((2, SHAPE[-1]))

    def loss(x):
        return (ops.group_norm(x, weight, bias, groups=GROUPS)[0] * dy).sum()

    dx, *_ = ops.group_norm(x, weight, bias, groups=GROUPS)[1](dy)
    centred = by_group(x) - by_group(x).mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    dxhat, xhat = by_group(dy * weight), centred * rstd
    first = rstd * dxhat.mean(axis=-1, keepdims=True)
    second = rstd * xhat * (dxhat * xhat).mean(axis=-1, keepdims=True)
    quotients = [(loss(x + h * u) - loss(x - h * u)) / (2 * h) for h in STEPS]
    exact = (dx * u).sum()
    for missing in (0.0, first, second):
        claimed = exact + (missing * by_group(u)).sum()
        yield [max(1e-12, abs(claimed - quotient) / abs(exact)) for quotient in quotients]


def by_group(a):
    n, height, width, channels = a.shape
    return a.reshape(n, height * width, GROUPS, channels // GROUPS).swapaxes(1, 2).reshape(n, GROUPS, -1)


def convolutions(canvas):
    """What a single pixel of x becomes in y, and a single pixel of dy in dx."""
    weight = KERNEL[:, :, None, None]
    one = np.zeros((1, 7, 7, 1))
    one[0, 3, 3, 0] = 1
    y, backward = ops.conv2d(one, weight)
    dx, _ = backward(one)
    canvas.text((560, 210), "one pixel through conv2d", INK, 14)
    for row, (start, end, names, colour) in enumerate(
            ((one, y, ("x", "y"), BLUE), (one, dx, ("dy", "dx"), RED))):
        top = 236 + row * 124
        for column, (image, name) in enumerate(zip((start, end), names, strict=True)):
            left = 450 + column * 128
            canvas.place(heat(image[0, :, :, 0], colour), left, top, 98, 98, smooth=False)
            for line in range(8):
                canvas.line([(left + 14 * line, top), (left + 14 * line, top + 98)], FAINT, 0.8)
                canvas.line([(left, top + 14 * line), (left + 98, top + 14 * line)], FAINT, 0.8)
            canvas.text((left + 49, top + 109), name, colour, 13)
        canvas.arrow((552, top + 49), (574, top + 49), colour, 1.8, 8)
    canvas.text((563, 500), "forward: kernel rotated; backward: kernel itself", SOFT, 12)


def activation(canvas):
    panel = Panel(canvas, (730, 236, 930, 470), (-5, 5), (-1, 5))
    panel.frame(range(-4, 5, 2), range(-1, 6))
    x = np.linspace(-5, 4.95, 200)
    y, backward = ops.silu(x)
    panel.curve(x, y, BLUE, 2.4)
    panel.curve(x, backward(np.ones_like(x)), RED, 2.4)
    canvas.text((830, 210), "SiLU and its derivative", INK, 14)
    canvas.text(panel.at(2.2, 3.3), "y", BLUE, 15)
    canvas.text(panel.at(-2.2, 0.6), "dy/dx", RED, 14)

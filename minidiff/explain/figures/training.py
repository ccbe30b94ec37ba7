"""An hour of training, at which noise a word matters, Muon beside AdamW, and what Muon does to singular values.

The numbers of the first three are from benchmarks/recipe.md, those of the hour also in benchmarks/results.
"""

from __future__ import annotations

import numpy as np

from ...training.optimizers.muon import QUINTIC
from ...training.presets import Settings
from ..canvas import BLUE, GREEN, INK, ORANGE, PAPER, RED, SOFT, VIOLET, Canvas, Panel, blend

MINUTES = (19.1, 27.2, 35.2, 43.3, 51.3, 59.5)
SEEN, HELD_OUT = (0.00, 0.05, 0.53, 0.84, 0.88, 0.94), (0.00, 0.03, 0.42, 0.76, 0.83, 0.89)  # of 100 prompts each
LATENTS_FRACTION, FALLING = 0.02, 0.2

RATIOS = (20, 9, 5.7, 4, 2.8, 2, 1.4, 1, 0.6, 0.3)  # σ/α
INCREASES = (  # of the error with a wrong word
    ("colour, good model", ORANGE, (0.95, 2.67, 3.29, 3.56, 3.52, 3.33, 2.77, 1.96, 0.99, 0.38), (3.2, 5.0)),
    ("shape, good model", BLUE, (0.19, 0.79, 1.21, 1.61, 1.90, 1.87, 1.50, 1.04, 0.52, 0.20), (5.4, 0.47)),
    ("colour, early", blend(ORANGE, PAPER, 0.45), (0.63, 1.07, 1.12, 1.13, 1.04, 0.88, 0.76, 0.60, 0.47, 0.29),
     (2.3, 0.62)),
    ("shape, early", blend(BLUE, PAPER, 0.45), (0.06, 0.17, 0.19, 0.18, 0.15, 0.11, 0.08, 0.05, 0.04, 0.03),
     (1.15, 0.105)),
)

SAMPLES = (8, 16, 24, 32, 40, 48, 64, 80)  # thousands
LOSSES = (
    ("AdamW", ORANGE, (0.889, 0.629, 0.530, 0.474, 0.434, 0.406, 0.376, 0.369), (39, 0.52)),
    ("Muon, rate 1", blend(BLUE, PAPER, 0.45), (0.881, 0.555, 0.450, 0.410, 0.378), (23, 0.79)),
    ("Muon, rate 3", BLUE, (0.787, 0.526, 0.437, 0.401, 0.373, 0.348, 0.322, 0.319), (60, 0.285)),
)


def figure():
    canvas = Canvas(980, 660)
    hour(canvas, Panel(canvas, (60, 62, 470, 268), (0, 60), (0, 1)))
    words(canvas, Panel(canvas, (560, 62, 950, 268), (26, 0.24), (0.02, 8), log=True))
    optimizers(canvas, Panel(canvas, (60, 392, 470, 598), (0, 84), (0.25, 0.95)))
    singular_values(canvas, Panel(canvas, (560, 392, 950, 598), (-4, 0), (0, 1.3)))
    return canvas.finished()


def titled(canvas, panel, title, below):
    left, top, right, bottom = panel.box
    canvas.text((left - 36, top - 36), title, INK, 15, "lm")
    canvas.text(((left + right) / 2, bottom + 32), below, SOFT, 12)


def hour(canvas, panel):
    """Prompts drawn right, over the stages' parts of an hour."""
    titled(canvas, panel, "an hour on two cores: prompts drawn right", "minutes")
    settings = Settings()
    parts = (("autoencoder", settings.train_autoencoder.time_fraction, VIOLET),
             ("contrastive", settings.train_contrastive.time_fraction, GREEN), ("latents", LATENTS_FRACTION, SOFT),
             ("diffusion", settings.train_diffusion.time_fraction, BLUE))
    start = 0.0
    for name, fraction, colour in parts:
        end = start + 60 * fraction
        (left, top), (right, bottom) = panel.at(start, 1), panel.at(end, 0)
        canvas.box(left, top, right, bottom, blend(colour, PAPER, 0.9))
        if fraction < 0.5:
            canvas.vertical(((left + right) / 2, (top + bottom) / 2), name, colour, 13)
        else:
            canvas.text((left + 12, top + 16), name, colour, 13, "lm")
        start = end
    falls = 60 - 60 * FALLING * parts[-1][1]
    canvas.dashed(panel.at(falls, 0), panel.at(falls, 1), SOFT)
    canvas.text(panel.at(falls + 0.7, 0.16), "learning", SOFT, 11, "lm")
    canvas.text(panel.at(falls + 0.7, 0.09), "rate falls", SOFT, 11, "lm")
    panel.frame(x_ticks=range(0, 61, 10))
    panel.frame(y_ticks=(0, 0.25, 0.5, 0.75, 1))
    for values, colour, name, place in ((SEEN, BLUE, "seen pairs", (32.5, 0.69)),
                                        (HELD_OUT, RED, "held-out pairs", (45.2, 0.46))):
        panel.curve(MINUTES, values, colour, 2.4)
        for minute, value in zip(MINUTES, values, strict=True):
            canvas.dot(panel.at(minute, value), colour, 3)
        canvas.text(panel.at(*place), name, colour, 12)


def words(canvas, panel):
    """From noise to data: where a wrong word raises the error."""
    titled(canvas, panel, "where a word matters: rise of the error with a wrong one",
           "sigma / alpha, in the order of sampling: noise on the left")
    panel.frame(x_ticks=(20, 10, 5, 2, 1, 0.5), written=lambda tick: f"{tick:g}")
    panel.frame(y_ticks=(0.03, 0.1, 0.3, 1, 3), written=lambda tick: f"{tick:g}")
    for name, colour, values, place in INCREASES:
        panel.curve(RATIOS, values, colour, 2.4)
        for point in zip(RATIOS, values, strict=True):
            canvas.dot(panel.at(*point), colour, 3)
        canvas.text(panel.at(*place), name, colour, 12)


def optimizers(canvas, panel):
    titled(canvas, panel, "the same samples, two optimizers: loss", "thousands of samples")
    panel.frame(x_ticks=range(0, 81, 20))
    panel.frame(y_ticks=(0.3, 0.5, 0.7, 0.9))
    for name, colour, values, place in LOSSES:
        panel.curve(SAMPLES[:len(values)], values, colour, 2.4)
        for point in zip(SAMPLES, values, strict=False):
            canvas.dot(panel.at(*point), colour, 3)
        canvas.text(panel.at(*place), name, colour, 12)


def singular_values(canvas, panel):
    """What a singular value becomes in each iteration of a s + b s³ + c s⁵."""
    titled(canvas, panel, "Muon: a singular value after 0 to 5 iterations", "singular value / norm of the matrix")
    (left, top), (right, bottom) = panel.at(-4, 1.2), panel.at(0, 0.7)
    canvas.box(left, top, right, bottom, blend(GREEN, PAPER, 0.88))
    panel.frame(x_ticks=range(-4, 1), written=lambda tick: f"1e{tick}")
    panel.frame(y_ticks=(0, 0.5, 1))
    a, b, c = QUINTIC
    places = np.linspace(-4, 0, 900)
    s = 10.0**places
    for i in range(6):
        panel.curve(places, s, blend(BLUE, PAPER, 0.6 - 0.12 * i), 1.6 if i < 5 else 2.4)
        x, y = panel.at(places[np.argmax(s > 0.5)], 0.5)
        canvas.text((x - 9, y), str(i), blend(BLUE, PAPER, 0.6 - 0.12 * i), 13)
        s = a * s + b * s**3 + c * s**5
    canvas.text(panel.at(-3.95, 1.25), "0.7 to 1.2", GREEN, 12, "lm")

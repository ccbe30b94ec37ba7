"""The built-in images: coloured shapes whose captions can be checked exactly.

A plain caption has one of three forms, with "an" before a vowel,

    a [small|large] COLOUR SHAPE [PLACE][ on a BACKGROUND background]
    a COLOUR SHAPE and a COLOUR SHAPE[ on a BACKGROUND background]
    a COLOUR SHAPE RELATION a COLOUR SHAPE[ on a BACKGROUND background]

and whatever it does not state is random. Lengths are in pixels of a 64 x 64 image, with y pointing down, and scale with
the image size. Eight (colour, shape) pairs never occur in training: they test whether a model composes what it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (220, 40, 40), "orange": (245, 140, 30), "yellow": (240, 215, 40), "green": (50, 160, 70),
    "cyan": (60, 200, 210), "blue": (45, 85, 205), "purple": (130, 60, 170), "pink": (245, 140, 190),
}
BACKGROUNDS = {"white": (250, 250, 250), "black": (15, 15, 15), "gray": (128, 128, 128)}
SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond")
SIZES = {"small": (8.0, 10.0), "large": (13.0, 16.0)}  # the range of radii
PAIR_RADIUS = (9.0, 12.0)                              # where two objects have to fit
PLACES = {
    "in the center": (32, 32), "at the top left": (18, 18), "at the top right": (46, 18),
    "at the bottom left": (18, 46), "at the bottom right": (46, 46),
}
RELATIONS = {"left of": (1, 0), "right of": (-1, 0), "above": (0, 1), "below": (0, -1)}
KINDS = ("one", "placed", "two", "related")

PAIRS = tuple((colour, shape) for shape in SHAPES for colour in COLOURS)
HELD_OUT = tuple((tuple(COLOURS)[3 * i % 8], shape) for i, shape in enumerate(SHAPES))
SEEN = tuple(pair for pair in PAIRS if pair not in HELD_OUT)


def _circle(radius):
    angles = np.arange(64) * (2 * np.pi / 64)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star():
    angles = np.arange(10) * (np.pi / 5)
    radius = np.where(np.arange(10) % 2, 0.42, 1.0)
    return np.stack([radius * np.sin(angles), -radius * np.cos(angles)], axis=1)


def _heart():
    a = np.arange(64) * (2 * np.pi / 64)
    y = 13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)
    return np.stack([16 * np.sin(a) ** 3, -y], axis=1) / 17


def _cross(w=0.32):
    corner = [(-w, -1), (w, -1), (w, -w)]
    return np.array([turn for x, y in [(1, 0), (0, 1), (-1, 0), (0, -1)]
                     for turn in [(x * u - y * v, y * u + x * v) for u, v in corner]])


OUTLINES = {
    "circle": _circle(0.95), "square": 0.85 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]),
    "triangle": np.array([(0, -1), (0.95, 0.8), (-0.95, 0.8)]), "star": _star(), "heart": _heart(),
    "ring": _circle(0.98), "cross": _cross(), "diamond": np.array([(0, -1), (0.75, 0), (0, 1), (-0.75, 0)]),
}
HOLES = {"ring": _circle(0.55)}


@dataclass(frozen=True)
class Thing:
    """A coloured shape; its centre (x, y) and radius are None until it is laid out."""

    colour: str
    shape: str
    centre: tuple[float, float] | None = None
    radius: float | None = None


@dataclass(frozen=True)
class Scene:
    """What a caption states, and what it leaves open: centres, radii and, unless it is named, the background."""

    objects: tuple[Thing, ...]
    background: str = "white"
    size: str | None = None
    place: str | None = None
    relation: str | None = None
    names_background: bool = False

    @property
    def kind(self) -> str:
        if len(self.objects) == 1:
            return "placed" if self.place else "one"
        return "related" if self.relation else "two"

    @property
    def caption(self) -> str:
        names = [f"{thing.colour} {thing.shape}" for thing in self.objects]
        text = with_article(f"{self.size} {names[0]}" if self.size else names[0])
        text += f" {self.place}" if self.place else ""
        text += f" {self.relation or 'and'} {with_article(names[1])}" if len(names) == 2 else ""
        return text + (f" on a {self.background} background" if self.names_background else "")

    def image(self, size: int = 64) -> np.ndarray:
        """The scene as uint8 (size, size, 3): rendered at four times the size, then averaged down."""
        image = Image.new("RGB", (4 * size, 4 * size), BACKGROUNDS[self.background])
        draw, scale = ImageDraw.Draw(image), 4 * size / 64
        for thing in self.objects:
            for outline, fill in [(OUTLINES[thing.shape], COLOURS[thing.colour]),
                                  (HOLES.get(thing.shape), BACKGROUNDS[self.background])]:
                if outline is not None:
                    corners = scale * (thing.radius * outline + thing.centre)
                    draw.polygon(corners.ravel().tolist(), fill=fill)
        return np.asarray(image.reduce(4))


def draw_scene(rng: np.random.Generator, split: str = "seen") -> Scene:
    """A random scene: one object (1/3), one at a named place (1/6), two joined by "and" (1/6), two in a relation (1/3).

    The split "seen", used for training, has no held-out pair. In "held_out" the first object is a held-out pair; a
    second one may be any.
    """
    firsts, seconds = {"seen": (SEEN, SEEN), "held_out": (HELD_OUT, PAIRS)}[split]
    kind = ("one", "one", "placed", "two", "related", "related")[rng.integers(6)]
    first = pick(rng, firsts)
    pairs, size, place, relation = [first], None, None, None
    if kind in ("one", "placed"):
        size = pick(rng, tuple(SIZES)) if rng.random() < 0.7 else None
        place = pick(rng, tuple(PLACES)) if kind == "placed" else None
    else:
        pairs.append(pick(rng, [pair for pair in seconds if pair[0] != first[0]]))
        relation = pick(rng, tuple(RELATIONS)) if kind == "related" else None
    scene = Scene(tuple(Thing(*pair) for pair in pairs), pick(rng, tuple(BACKGROUNDS)), size, place, relation,
                  names_background=bool(rng.random() < 0.6))
    return lay_out(rng, scene)


def lay_out(rng: np.random.Generator, scene: Scene) -> Scene:
    """The same scene and caption with new centres and radii, uniform within what the caption states."""
    if len(scene.objects) == 1:
        radius = rng.uniform(*SIZES[scene.size or pick(rng, tuple(SIZES))])
        if scene.place:
            centres = np.array([PLACES[scene.place]]) + rng.uniform(-2, 2, (1, 2))
        else:
            centres = rng.uniform(radius + 2, 62 - radius, (1, 2))
        radii = [radius]
    else:
        axis = np.array(RELATIONS[scene.relation or pick(rng, tuple(RELATIONS))])
        middle = 32 + 15 * np.array([-axis, axis])
        centres = middle + rng.uniform(-1, 1, (2, 2)) * np.where(axis, 2, 5)
        radii = rng.uniform(*PAIR_RADIUS, 2)
    objects = tuple(replace(thing, centre=(float(x), float(y)), radius=float(radius))
                    for thing, (x, y), radius in zip(scene.objects, centres, radii, strict=True))
    return replace(scene, objects=objects)


def images_of(scenes: Sequence[Scene], size: int = 64) -> np.ndarray:
    """The scenes as one array of images, uint8 (N, size, size, 3)."""
    return np.stack([scene.image(size) for scene in scenes])


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 pixels as float32 in [-1, 1]: x = p / 127.5 - 1."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def with_article(name: str) -> str:
    """'a red star', 'an orange star'"""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def pick(rng: np.random.Generator, choices: Sequence):
    """One of the choices, uniformly at random."""
    return choices[rng.integers(len(choices))]

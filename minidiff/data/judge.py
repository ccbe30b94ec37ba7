"""The judge: reads an image of a scene without being told its caption, then compares.

It makes text-to-image a number: an image is right when all that its caption states is read in it. Distances between
colours are sums over RGB; lengths are in pixels of a 64 x 64 image, and other sizes scale them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from .scenes import BACKGROUNDS, COLOURS, OUTLINES, PLACES, RELATIONS, SHAPES, Scene, Thing

OBJECT_DISTANCE = 56        # from the background; purple on gray is only 112 apart
SMALLEST_AREA = 25
TEMPLATE = 24
LEAST_OVERLAP = 0.6
LARGE_FROM = 21.5
PLACE_WITHIN = 7
RELATION_FROM = 8


@dataclass(frozen=True)
class Found:
    """An object read in an image: its shape (None where it has none of the eight) and its bounding box."""

    colour: str
    shape: str | None
    box: tuple[float, float, float, float]                               # left, top, right, bottom

    @property
    def centre(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> str:
        left, top, right, bottom = self.box
        return "large" if max(right - left, bottom - top) >= LARGE_FROM else "small"


@dataclass(frozen=True)
class Reading:
    """What the judge sees: the background and the objects, from top to bottom."""

    background: str
    objects: tuple[Found, ...]


def read(image: np.ndarray) -> Reading:
    """The background and the objects of an image, uint8 (S, S, 3). True images all read right from S = 64 on."""
    pixels = image.astype(np.int32)
    scale = len(pixels) / 64
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    background = _nearest(BACKGROUNDS, np.median(border, axis=0))
    labels = components(np.abs(pixels - BACKGROUNDS[background]).sum(axis=2) > OBJECT_DISTANCE)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    found = []
    for label in np.flatnonzero(areas >= SMALLEST_AREA * scale**2):
        mask = labels == label
        (top, bottom), (left, right) = _extent(mask.any(axis=1)), _extent(mask.any(axis=0))
        colour = _nearest(COLOURS, np.median(pixels[mask], axis=0))
        shape = _shape_of(mask[top:bottom, left:right])
        found.append(Found(colour, shape, tuple(float(edge) / scale for edge in (left, top, right, bottom))))
    return Reading(background, tuple(found))


def components(mask: np.ndarray) -> np.ndarray:
    """Labels of the 4-connected components of a boolean image, 1, 2, ... (not all used), and 0 outside.

    Runs of pixels in a row get labels first; runs that touch those below share the smaller label, until all agree.

    mask (H, W) -> labels (H, W)
    """
    starts = mask.copy()
    starts[:, 1:] &= ~mask[:, :-1]
    labels = np.cumsum(starts).reshape(mask.shape) * mask
    touching = mask[:-1] & mask[1:]
    upper, lower = labels[:-1][touching], labels[1:][touching]
    root = np.arange(labels.max() + 1)
    while (root[upper] != root[lower]).any():
        smaller = np.minimum(root[upper], root[lower])
        np.minimum.at(root, upper, smaller)
        np.minimum.at(root, lower, smaller)
        root = root[root]
    return root[labels]


def verdict(reading: Reading, scene: Scene) -> dict[str, bool]:
    """For each attribute that the caption of `scene` states: is it so in the reading?

    The keys are count, shape, colour; size, place, relation, background where stated; and "right": all but the
    background. Objects are assigned to the stated ones so that most shapes and colours agree.
    """
    found = reading.objects + (None,) * (len(scene.objects) - len(reading.objects))
    chosen = max(permutations(found, len(scene.objects)), key=lambda order: _agreement(order, scene.objects))
    shapes, colours = _matches(chosen, scene.objects)
    first = chosen[0]
    held = {"count": len(reading.objects) == len(scene.objects), "shape": all(shapes), "colour": all(colours)}
    if scene.size:
        held["size"] = first is not None and first.size == scene.size
    if scene.place:
        held["place"] = first is not None and _distance(first.centre, PLACES[scene.place]) <= PLACE_WITHIN
    if scene.relation:
        held["relation"] = None not in chosen and _along(scene.relation, *chosen) >= RELATION_FROM
    held["right"] = all(held.values())
    if scene.names_background:
        held["background"] = reading.background == scene.background
    return held


def satisfies(scene: Scene, stated: Scene) -> bool:
    """Does the image of `scene` show all that the caption of `stated` says, its background too?"""
    return all(verdict(truth(scene), stated).values())


def truth(scene: Scene) -> Reading:
    """The reading of a scene by its own numbers, without an image."""
    return Reading(scene.background, tuple(Found(thing.colour, thing.shape, _box(thing)) for thing in scene.objects))


def _matches(found, stated):
    pairs = [(seen, thing) for seen, thing in zip(found, stated, strict=True)]
    return ([seen is not None and seen.shape == thing.shape for seen, thing in pairs],
            [seen is not None and seen.colour == thing.colour for seen, thing in pairs])


def _agreement(found, stated):
    shapes, colours = _matches(found, stated)
    return sum(shapes) + sum(colours), sum(colours)


def _distance(a, b):
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5


def _along(relation, first, second):
    (x, y), (left, top), (right, bottom) = RELATIONS[relation], first.centre, second.centre
    return x * (right - left) + y * (bottom - top)


def _nearest(names, colour):
    return min(names, key=lambda name: np.abs(np.subtract(names[name], colour)).sum())


def _extent(line):
    inside = np.flatnonzero(line)
    return inside[0], inside[-1] + 1


def _shape_of(mask):
    """The template with the largest intersection over union, where that is at least 0.6."""
    templates, seen = _templates(), _stretch(mask)
    overlap = (templates & seen).sum(axis=(1, 2)) / (templates | seen).sum(axis=(1, 2))
    best = overlap.argmax()
    return SHAPES[best] if overlap[best] >= LEAST_OVERLAP else None


def _stretch(mask):
    """The mask scaled to 24 x 24: the nearest pixel of each."""
    rows, columns = (((np.arange(TEMPLATE) + 0.5) * side / TEMPLATE).astype(int) for side in mask.shape)
    return mask[rows[:, None], columns]


@cache
def _templates():
    """The eight shapes, cropped and scaled like what is read: boolean (8, 24, 24)."""
    scenes = [Scene((Thing("red", shape, (32.0, 32.0), 16.0),)) for shape in SHAPES]
    masks = [scene.image(256)[..., 1] < 145 for scene in scenes]       # half way from red to white
    return np.stack([_stretch(mask[np.ix_(mask.any(axis=1), mask.any(axis=0))]) for mask in masks])


@cache
def _corners(shape):
    return tuple(OUTLINES[shape].min(axis=0).tolist() + OUTLINES[shape].max(axis=0).tolist())


def _box(thing):
    (x, y), r, (left, top, right, bottom) = thing.centre, thing.radius, _corners(thing.shape)
    return x + r * left, y + r * top, x + r * right, y + r * bottom

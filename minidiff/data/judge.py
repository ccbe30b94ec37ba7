"""The judge: reads the image of a scene without knowing its caption, then compares the two.

This makes text-to-image measurable: an image is right if everything that its caption states, apart from the
background, is read in it. Colour distances are L1 distances in RGB; lengths are in pixels of a 64 x 64 image and scale
with the image size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from .scenes import BACKGROUNDS, COLOURS, OUTLINES, PLACES, RELATIONS, SHAPES, Scene, Thing

OBJECT_DISTANCE = 56        # from the background colour; the nearest pair, purple on gray, is 112 apart
MIN_AREA = 25               # smaller components are specks
TEMPLATE_SIZE = 24
MIN_OVERLAP = 0.6           # intersection over union
MIN_LARGE_SIDE = 21.5       # longer side of the box of a large object
MAX_PLACE_DISTANCE = 7      # from the centre of the named place
MIN_RELATION_DISTANCE = 8   # between the centres, along the axis of the relation


@dataclass(frozen=True)
class Found:
    """An object read in an image, with its bounding box; `shape` is None if it resembles none of the eight."""

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
        return "large" if max(right - left, bottom - top) >= MIN_LARGE_SIDE else "small"


@dataclass(frozen=True)
class Reading:
    """What the judge sees: the background and the objects, from top to bottom."""

    background: str
    objects: tuple[Found, ...]


def read(image: np.ndarray) -> Reading:
    """The background and the objects of an image, uint8 (S, S, 3). All true images with S >= 64 are read correctly."""
    pixels = image.astype(np.int32)
    scale = len(pixels) / 64
    background = background_of(pixels, BACKGROUNDS)
    labels = components(np.abs(pixels - BACKGROUNDS[background]).sum(axis=2) > OBJECT_DISTANCE)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    found = []
    for label in np.flatnonzero(areas >= MIN_AREA * scale**2):
        mask = labels == label
        (top, bottom), (left, right) = _extent(mask.any(axis=1)), _extent(mask.any(axis=0))
        colour = _nearest(COLOURS, np.median(pixels[mask], axis=0))
        shape = _shape_of(mask[top:bottom, left:right])
        found.append(Found(colour, shape, tuple(float(edge) / scale for edge in (left, top, right, bottom))))
    return Reading(background, tuple(found))


def background_of(pixels: np.ndarray, backgrounds: dict[str, tuple[int, int, int]]) -> str:
    """The name of the background that is nearest to the median of an image's border."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    return _nearest(backgrounds, np.median(border, axis=0))


def components(mask: np.ndarray) -> np.ndarray:
    """Label the 4-connected components of a boolean image from 1 on, with gaps; 0 is outside.

    mask (H, W) -> labels (H, W)

    Each horizontal run of pixels gets a label; then runs that touch vertically take the smaller of their labels,
    until nothing changes.
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
    """For each attribute that the caption of `scene` states, whether the reading agrees.

    The keys are count, shape and colour; size, place, relation and background if stated; and "right": all of them
    but the background. Objects are matched to the stated ones so that as many shapes and colours as possible agree.
    """
    found = reading.objects + (None,) * (len(scene.objects) - len(reading.objects))
    chosen = max(permutations(found, len(scene.objects)), key=lambda order: _agreement(order, scene.objects))
    shapes, colours = _matches(chosen, scene.objects)
    first = chosen[0]
    checks = {"count": len(reading.objects) == len(scene.objects), "shape": all(shapes), "colour": all(colours)}
    if scene.size:
        checks["size"] = first is not None and first.size == scene.size
    if scene.place:
        checks["place"] = first is not None and _distance(first.centre, PLACES[scene.place]) <= MAX_PLACE_DISTANCE
    if scene.relation:
        checks["relation"] = None not in chosen and _along(scene.relation, *chosen) >= MIN_RELATION_DISTANCE
    checks["right"] = all(checks.values())
    if scene.names_background:
        checks["background"] = reading.background == scene.background
    return checks


def satisfies(scene: Scene, stated: Scene) -> bool:
    """Whether the image of `scene` shows everything that the caption of `stated` says, including the background."""
    return all(verdict(truth(scene), stated).values())


def truth(scene: Scene) -> Reading:
    """The exact reading of a scene, from its own coordinates instead of an image."""
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


def shape_overlaps(mask: np.ndarray) -> np.ndarray:
    """The intersection over union of an object, boolean (H, W), with each of SHAPES, both at 24 x 24."""
    templates, seen = _templates(), _resized(mask)
    return (templates & seen).sum(axis=(1, 2)) / (templates | seen).sum(axis=(1, 2))


def _shape_of(mask):
    """The shape with which a mask overlaps most, or None below 0.6."""
    overlaps = shape_overlaps(mask)
    best = overlaps.argmax()
    return SHAPES[best] if overlaps[best] >= MIN_OVERLAP else None


def _resized(mask):
    """The mask at 24 x 24, by nearest neighbour."""
    rows, columns = (((np.arange(TEMPLATE_SIZE) + 0.5) * side / TEMPLATE_SIZE).astype(int) for side in mask.shape)
    return mask[rows[:, None], columns]


@cache
def _templates():
    """The eight shapes, cropped and resized; boolean (8, 24, 24)."""
    scenes = [Scene((Thing("red", shape, (32.0, 32.0), 16.0),)) for shape in SHAPES]
    masks = [scene.image(256)[..., 1] < 145 for scene in scenes]       # halfway between red and white
    return np.stack([_resized(mask[np.ix_(mask.any(axis=1), mask.any(axis=0))]) for mask in masks])


@cache
def _corners(shape):
    return tuple(OUTLINES[shape].min(axis=0).tolist() + OUTLINES[shape].max(axis=0).tolist())


def _box(thing):
    (x, y), r, (left, top, right, bottom) = thing.centre, thing.radius, _corners(thing.shape)
    return x + r * left, y + r * top, x + r * right, y + r * bottom

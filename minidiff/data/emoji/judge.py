"""A judge for images made of emoji: which of all true images, in which colour, how often and where is it?

A whole image is read as the emoji whose true image is nearest to it, a part of one as the noun whose is nearest to what
stands out from the background. The rules know the kind of a scene, but not its words.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..scenes import PLACES
from .colours import LEAST_SATURATION, colour_of, dominant_hue, hsv
from .emoji import Emoji
from .parts import background_and_inside, cells, cropped, extent_in
from .scenes import SIDES, SPOTS, EmojiScene, Sticker
from .vocabulary import Vocabulary
from .wording import without_colour

SIDE = 32                # pixels at which whole images are compared
ALIKE = 2.5              # root of the mean squared difference of such images, in levels of 255
MAX_PLACE_DISTANCE = 7   # pixels of 64, as the next
MAX_SIDE = 36            # of one of several things; two that are taken for one reach over the 31 between their centres


class Nearest:
    """Finds the nearest of many images, by the sum of squared differences ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖²."""

    def __init__(self, images: np.ndarray):
        self.rows = images.reshape(len(images), -1).astype(np.float32)
        self.squares = (self.rows**2).sum(axis=1)

    def nearest(self, image: np.ndarray) -> int:
        return int((self.squares - 2 * self.rows @ image.ravel().astype(np.float32)).argmin())


class Verdict(NamedTuple):
    """`seen` in an image: 'green apple', 'pizza and cat'."""

    right: bool
    seen: str


class Judge:
    """Reads images, uint8 (S, S, 3), with the words and true images of a set of emoji."""

    def __init__(self, words: Vocabulary):
        self.words = words
        self._parts_on: dict[str, Nearest] = {}

    def judge(self, scene: EmojiScene, image: np.ndarray) -> Verdict:
        """Whether an image shows what the caption of a scene says, but for the background, and what it does show."""
        wanted = scene.stickers[0].emoji
        if scene.kind in ("named", "described"):
            seen = self.nearest(image)
            return Verdict(self.means(scene, seen), seen.name)
        if scene.kind == "coloured":
            colour, seen = self.coloured(image)
            right = base_name(seen) == base_name(wanted) or self.alike(seen, wanted)
            return Verdict(right and colour == scene.stickers[0].colour, f"{colour} {base_name(seen)}")
        seen = self.nouns(scene, image)
        right = all(map(self.alike, seen, (sticker.emoji for sticker in scene.stickers)))
        placed = scene.kind == "related" or in_place(scene, image)
        return Verdict(right and placed, " and ".join(emoji.name for emoji in seen))

    def means(self, scene: EmojiScene, emoji: Emoji) -> bool:
        """Whether a name or a description is one of this emoji, or of one that can't be told apart from it."""
        return any(self.alike(emoji, one) for one in scene.fitting or (scene.stickers[0].emoji,))

    def alike(self, a: Emoji, b: Emoji) -> bool:
        """Whether two have the same name, or true images that can't be told apart, as those of 'astronaut: dark skin
        tone' and 'man astronaut: dark skin tone'."""
        if a.name == b.name:
            return True
        i, j = self._index[a.file], self._index[b.file]
        return float(np.sqrt(np.mean((self.true[i].astype(np.float32) - self.true[j]) ** 2))) < ALIKE

    def nearest(self, image: np.ndarray) -> Emoji:
        """The emoji whose true image is nearest, by the squared differences of 32 x 32 pixels."""
        return self.words.emoji[self._whole.nearest(scaled(image))]

    def coloured(self, image: np.ndarray) -> tuple[str, Emoji]:
        """The colour that most of an image has, and the thing whose saturation and value are nearest to the image's."""
        hue, area, _ = dominant_hue(image, hsv(image)[1] >= LEAST_SATURATION)
        return colour_of(hue) if area else "gray", self.words.plain[self._shades.nearest(_without_hue(image))]

    def nouns(self, scene: EmojiScene, image: np.ndarray) -> list[Emoji]:
        """What is seen where the scene has its things: for each, the noun that is nearest to what stands out there."""
        background, inside = background_and_inside(image)
        parts = (cropped(image[cell], inside[cell], background) for cell in cells(scene, inside))
        return [self.words.nouns[self._parts(background).nearest(part)] for part in parts]

    @cached_property
    def true(self) -> np.ndarray:
        """The true images on white, uint8 (M, 32, 32, 3)."""
        return np.stack([scaled(whole(one)) for one in self.words.emoji])

    @cached_property
    def _index(self):
        return {one.file: index for index, one in enumerate(self.words.emoji)}

    @cached_property
    def _whole(self):
        return Nearest(self.true)

    @cached_property
    def _shades(self):
        return Nearest(np.stack([_without_hue(whole(one)) for one in self.words.plain]))

    def _parts(self, background):
        """The nouns on a background, cropped to what stands out of it; computed once."""
        if background not in self._parts_on:
            images = [small(one, background) for one in self.words.nouns]
            insides = [background_and_inside(image)[1] for image in images]
            self._parts_on[background] = Nearest(np.stack([
                cropped(image, inside, background) for image, inside in zip(images, insides, strict=True)]))
        return self._parts_on[background]


def in_place(scene: EmojiScene, image: np.ndarray) -> bool:
    """Whether something stands out at the place that a scene names, or one thing where each of a number should be."""
    _, inside = background_and_inside(image)
    spots, most = ([PLACES[scene.place]], np.inf) if scene.place else (SPOTS[len(scene.stickers)], MAX_SIDE)
    found = [extent_in(inside, cell) for cell in cells(scene, inside)]
    return all(math.dist(centre, spot) <= MAX_PLACE_DISTANCE and side <= most
               for (centre, side), spot in zip(found, spots, strict=True))


def whole(emoji: Emoji) -> np.ndarray:
    """The true image of an emoji."""
    return EmojiScene("named", "", (Sticker(emoji),)).image(len(emoji.image))


def small(emoji: Emoji, background: str) -> np.ndarray:
    """An image with the emoji as large as one of several things: finer details are gone, and may change its extent."""
    return EmojiScene("placed", "", (Sticker(emoji, (32, 32), sum(SIDES) / 2),), background).image(len(emoji.image))


def base_name(emoji: Emoji) -> str:
    return without_colour(emoji.name)


def scaled(image: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 3) -> (32, 32, 3), the means of areas"""
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))


def _without_hue(image):
    """Saturation and value, which a turned hue leaves as they are: uint8 (32, 32, 2)."""
    _, saturation, value = hsv(scaled(image))
    return (255 * np.stack([saturation, value], axis=-1)).round().astype(np.uint8)

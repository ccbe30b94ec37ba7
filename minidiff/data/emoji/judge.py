"""A judge for images made of emoji: which of all true images, in which colour, how often and where is it?

A whole image is read as the emoji whose true image is nearest to it, a part of one as the noun whose is nearest to what
stands out from the background. The rules know the kind of a scene, but not its words.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from PIL import Image

from ..scenes import PLACES
from .colours import LEAST_SATURATION, colour_of, dominant_hue, hsv
from .scenes import BACKGROUNDS, EmojiScene, Sticker
from .vocabulary import Emoji, Vocabulary
from .wording import without_colour

SIDE, PART_SIDE = 32, 24     # pixels at which whole images and parts are compared
ALIKE = 2.5                  # root of the mean squared difference of such images, in levels of 255
OBJECT_DISTANCE = 40         # L1 distance from the background's colour
MAX_PLACE_DISTANCE = 7       # pixels of 64


class Nearest:
    """Finds the nearest of many images, by the sum of squared differences ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖²."""

    def __init__(self, images: np.ndarray):
        self.rows = images.reshape(len(images), -1).astype(np.float32)
        self.squares = (self.rows**2).sum(axis=1)

    def nearest(self, image: np.ndarray) -> int:
        return int((self.squares - 2 * self.rows @ image.ravel().astype(np.float32)).argmin())


class Judge:
    """Reads images, uint8 (S, S, 3), with the words and true images of a set of emoji."""

    def __init__(self, words: Vocabulary):
        self.words = words

    def right(self, scene: EmojiScene, image: np.ndarray) -> bool:
        """Whether an image shows what the caption of a scene says, but for the background."""
        if scene.kind in ("named", "described"):
            return self.shows(image, scene.fitting or (scene.stickers[0].emoji,))
        if scene.kind == "coloured":
            colour, emoji = self.coloured(image)
            wanted = scene.stickers[0]
            return colour == wanted.colour and (base_name(emoji) == base_name(wanted.emoji)
                                                or self.alike(emoji, wanted.emoji))
        if scene.kind == "placed" and _distance(_centre(_inside(image)) * 64 / len(image), PLACES[scene.place]) > (
                MAX_PLACE_DISTANCE):
            return False
        return all(map(self.alike, self.parts(scene, image), (sticker.emoji for sticker in scene.stickers)))

    def reading(self, scene: EmojiScene, image: np.ndarray) -> str:
        """What the judge sees in an image of such a scene: 'green apple', 'pizza and cat'."""
        if scene.kind in ("named", "described"):
            return self.nearest(image).name
        if scene.kind == "coloured":
            colour, emoji = self.coloured(image)
            return f"{colour} {base_name(emoji)}"
        return " and ".join(emoji.name for emoji in self.parts(scene, image))

    def parts(self, scene: EmojiScene, image: np.ndarray) -> list[Emoji]:
        """The nouns that are seen where the scene has its things."""
        inside, background = _inside(image), background_of(image)
        return [self.noun(image[cell], inside[cell], background) for cell in _cells(scene, inside)]

    def shows(self, image: np.ndarray, fitting: Iterable[Emoji]) -> bool:
        """Whether the true image that is nearest to this one is that of one of these emoji, or alike to it."""
        nearest = self.nearest(image)
        return any(self.alike(nearest, one) for one in fitting)

    def alike(self, a: Emoji, b: Emoji) -> bool:
        """Whether two are the same, or have true images that can't be told apart, as those of 'astronaut: dark skin
        tone' and 'man astronaut: dark skin tone'."""
        if a is b:
            return True
        i, j = self._index[a.file], self._index[b.file]
        return float(np.sqrt(np.mean((self.true[i].astype(np.float32) - self.true[j]) ** 2))) < ALIKE

    @cached_property
    def _index(self):
        return {one.file: index for index, one in enumerate(self.words.emoji)}

    def nearest(self, image: np.ndarray) -> Emoji:
        """The emoji whose true image is nearest, by the squared differences of 32 x 32 pixels."""
        return self.words.emoji[self._whole.nearest(scaled(image, SIDE))]

    @cached_property
    def _whole(self):
        return Nearest(self.true)

    @cached_property
    def true(self) -> np.ndarray:
        """The true images on white, uint8 (M, 32, 32, 3)."""
        return np.stack([scaled(whole(one), SIDE) for one in self.words.emoji])

    def coloured(self, image: np.ndarray) -> tuple[str, Emoji]:
        """The colour that most of an image has, and the thing whose saturation and value are nearest to the image's."""
        hue, _, _ = dominant_hue(image, hsv(image)[1] >= LEAST_SATURATION)
        return colour_of(hue), self.words.plain[self._shades.nearest(_without_hue(image))]

    @cached_property
    def _shades(self):
        return Nearest(np.stack([_without_hue(whole(one)) for one in self.words.plain]))

    def noun(self, image: np.ndarray, inside: np.ndarray, background: str) -> Emoji:
        """The noun that a part of an image shows, given which of its pixels stand out."""
        part = _cropped(image, inside, BACKGROUNDS[background])
        return self.words.nouns[self._parts(background).nearest(part)]

    def _parts(self, background):
        """The nouns on a background, cropped to what stands out of it; computed once."""
        if background not in self._parts_of:
            images = [whole(one, background) for one in self.words.nouns]
            self._parts_of[background] = Nearest(np.stack([
                _cropped(image, _inside(image), BACKGROUNDS[background]) for image in images]))
        return self._parts_of[background]

    @cached_property
    def _parts_of(self):
        return {}


def whole(emoji: Emoji, background: str = "white") -> np.ndarray:
    """The true image of an emoji."""
    return EmojiScene("named", "", (Sticker(emoji),), background).image(len(emoji.image))


def base_name(emoji: Emoji) -> str:
    return without_colour(emoji.name)


def background_of(image: np.ndarray) -> str:
    """The name of the background that is nearest to the median of the border."""
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    return min(BACKGROUNDS, key=lambda name: np.abs(np.median(border, axis=0) - BACKGROUNDS[name]).sum())


def _inside(image):
    """Which pixels stand out from the background."""
    return np.abs(image.astype(int) - BACKGROUNDS[background_of(image)]).sum(axis=2) > OBJECT_DISTANCE


def scaled(image: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))


def _without_hue(image):
    """Saturation and value, which a turned hue leaves as they are, at 32 x 32."""
    _, saturation, value = hsv(scaled(image, SIDE))
    return (255 * np.stack([saturation, value], axis=-1)).round().astype(np.uint8)


def _cells(scene, inside):
    """The parts of an image that a scene's things should be in: one after the other, as slices of rows and columns."""
    height, width = inside.shape
    rows, columns = slice(0, height), slice(0, width)
    if scene.relation in ("left of", "right of"):
        x = _emptiest(inside.sum(axis=0))
        cells = [(rows, slice(0, x)), (rows, slice(x, width))]
        return cells if scene.relation == "left of" else cells[::-1]
    if scene.relation in ("above", "below"):
        y = _emptiest(inside.sum(axis=1))
        cells = [(slice(0, y), columns), (slice(y, height), columns)]
        return cells if scene.relation == "above" else cells[::-1]
    top, bottom, left, right = slice(0, height // 2), slice(height // 2, height), slice(0, width // 2), slice(
        width // 2, width)
    return {1: [(rows, columns)], 2: [(rows, left), (rows, right)],
            3: [(top, columns), (bottom, left), (bottom, right)],
            4: [(top, left), (top, right), (bottom, left), (bottom, right)]}[len(scene.stickers)]


def _emptiest(counts):
    """The line near the middle with the fewest pixels that stand out; of equal ones the one nearest to the middle."""
    third = len(counts) // 3
    lines = np.arange(third, len(counts) - third)
    return int(min(lines, key=lambda line: (counts[line], abs(line - len(counts) / 2))))


def _cropped(image, inside, background):
    """What stands out, on a square of the background's colour, at 24 x 24."""
    if not inside.any():
        return np.broadcast_to(np.uint8(background), (PART_SIDE, PART_SIDE, 3))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    part = image[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    side = max(part.shape[:2])
    square = np.empty((side, side, 3), np.uint8)
    square[:] = background
    y, x = (side - part.shape[0]) // 2, (side - part.shape[1]) // 2
    square[y:y + part.shape[0], x:x + part.shape[1]] = part
    return np.asarray(Image.fromarray(square).resize((PART_SIDE, PART_SIDE), Image.Resampling.BILINEAR))


def _centre(inside):
    """The middle of the box around what stands out: (x, y)."""
    return np.array([(line[0] + line[-1] + 1) / 2 if len(line) else np.inf
                     for line in (np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1)))])


def _distance(a, b):
    return float(np.hypot(*np.subtract(a, b)))

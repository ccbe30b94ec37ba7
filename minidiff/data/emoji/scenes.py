"""Images made of emoji, each with a caption that is true of it.

    a penguin                                     named: an emoji as it is, by its name, perhaps with a tag or two
    a purple apple                                coloured: turned to another colour
    car · brainy nerd                             described: one or two words that fit few emoji
    two penguins                                  counted: two, three or four of a thing
    a pizza at the top left                       placed
    a red apple above a penguin                   related

Those of the last three kinds may go on with "on a blue background". Lengths are in pixels of a 64 x 64 image, with y
pointing down, and scale with the image size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..scenes import PLACES, RELATIONS, pick
from .colours import recoloured
from .emoji import Emoji
from .wording import NUMBERS, plural, with_article, without_colour

BACKGROUNDS = {"white": (255, 255, 255), "blue": (150, 195, 245), "gray": (200, 200, 200)}
# Two things beside each other are as large as 64 pixels allow where they neither overlap nor touch the border.
SIDES, JITTER = (28.0, 30.0), 0.5  # the range of a thing's longer side, and how far its centre may be from its place
NEAR, FAR = 16.5, 47.5             # centres
SPOTS = {2: ((NEAR, 32), (FAR, 32)), 3: ((32, NEAR), (NEAR, FAR), (FAR, FAR)),
         4: ((NEAR, NEAR), (FAR, NEAR), (NEAR, FAR), (FAR, FAR))}


@dataclass(frozen=True)
class Sticker:
    """An emoji in a scene: its centre (x, y) and its longer side, or None to fill the image; another colour or None."""

    emoji: Emoji
    centre: tuple[float, float] | None = None
    side: float | None = None
    colour: str | None = None


@dataclass(frozen=True)
class EmojiScene:
    """What a caption states and what it leaves open; `fitting` are the emoji that may stand for a description."""

    kind: str
    caption: str
    stickers: tuple[Sticker, ...]
    background: str = "white"
    relation: str | None = None
    place: str | None = None
    fitting: tuple[Emoji, ...] = ()

    @property
    def named_background(self) -> str | None:
        return self.background if self.caption.endswith("background") else None

    def image(self, size: int) -> np.ndarray:
        """uint8 (size, size, 3)"""
        image = Image.new("RGBA", (size, size), (*BACKGROUNDS[self.background], 255))
        for sticker in self.stickers:
            shown = sticker.emoji.image
            if sticker.colour:
                shown = recoloured(shown, sticker.colour, sticker.emoji.hue)
            shown = Image.fromarray(shown)
            if sticker.centre is None:
                image.alpha_composite(shown.resize((size, size), Image.Resampling.LANCZOS))
                continue
            left, top, right, bottom = box = sticker.emoji.box
            scale = sticker.side * size / 64 / max(right - left, bottom - top)
            width, height = (max(1, round(scale * side)) for side in (right - left, bottom - top))
            x, y = (round(c * size / 64 - side / 2) for c, side in zip(sticker.centre, (width, height), strict=True))
            image.alpha_composite(shown.resize((width, height), Image.Resampling.LANCZOS, box),
                                  (max(0, min(x, size - width)), max(0, min(y, size - height))))
        return np.asarray(image.convert("RGB"))


def plainly_named(emoji: Emoji) -> EmojiScene:
    """An emoji by its name alone."""
    return EmojiScene("named", emoji.name, (Sticker(emoji),))


def named(rng: np.random.Generator, emoji: Emoji) -> EmojiScene:
    """An emoji by its name: alone (a half), with an article (a quarter) or with one or two of its tags (a quarter)."""
    form = rng.random()
    caption = emoji.name
    if form < 0.25 and not emoji.has_tone and emoji.group not in ("flags", "symbols"):
        caption = with_article(caption)
    elif form >= 0.75 and emoji.tags:
        caption = ", ".join([caption, *rng.permutation(emoji.tags)[:rng.integers(1, 3)].tolist()])
    return EmojiScene("named", caption, (Sticker(emoji),))


def coloured(rng: np.random.Generator, emoji: Emoji, colour: str) -> EmojiScene:
    name = f"{colour} {without_colour(emoji.name)}"
    caption = with_article(name) if rng.random() < 0.5 else name
    return EmojiScene("coloured", caption, (Sticker(emoji, colour=colour),))


def described(rng: np.random.Generator, text: str, fitting: tuple[Emoji, ...]) -> EmojiScene:
    """The words in any order, for any of the emoji that they fit."""
    caption = " ".join(rng.permutation(text.split(" ")).tolist())
    return EmojiScene("described", caption, (Sticker(pick(rng, fitting)),), fitting=fitting)


def counted(rng: np.random.Generator, emoji: Emoji, number: int) -> EmojiScene:
    side = rng.uniform(*SIDES)
    stickers = tuple(Sticker(emoji, _near(rng, spot), side) for spot in SPOTS[number])
    return EmojiScene("counted", f"{NUMBERS[number]} {plural(emoji.name)}", stickers)


def placed(rng: np.random.Generator, emoji: Emoji, place: str) -> EmojiScene:
    sticker = Sticker(emoji, _near(rng, PLACES[place]), rng.uniform(*SIDES))
    return EmojiScene("placed", f"{with_article(emoji.name)} {place}", (sticker,), place=place)


def related(rng: np.random.Generator, first: Emoji, second: Emoji, relation: str) -> EmojiScene:
    axis = np.array(RELATIONS[relation])  # towards the second
    stickers = tuple(Sticker(emoji, _near(rng, 32 + way * (FAR - NEAR) / 2 * axis), rng.uniform(*SIDES))
                     for emoji, way in ((first, -1), (second, 1)))
    text = f"{with_article(first.name)} {relation} {with_article(second.name)}"
    return EmojiScene("related", text, stickers, relation=relation)


def on_background(scene: EmojiScene, background: str | None) -> EmojiScene:
    """The scene on a background that its caption names."""
    if background is None:
        return scene
    return replace(scene, background=background, caption=f"{scene.caption} on a {background} background")


def _near(rng, spot):
    x, y = spot + rng.uniform(-JITTER, JITTER, 2)
    return float(x), float(y)

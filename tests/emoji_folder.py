"""A small set of emoji: thirty shapes in place of real images, and names as emojibase's data.json has them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

from minidiff.data.emoji.folder import write_folder
from minidiff.data.emoji.names import GROUPS, TONES
from minidiff.data.scenes import OUTLINES

RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE = "#e03028", "#f08820", "#f0d028", "#28a048", "#2858d0", "#8038b8"
DARK, GRAY, BROWN, CYAN, PINK = "#303038", "#a0a0a8", "#805030", "#30c0d0", "#f070b8"
SKINS = ("#f8d8b8", "#e0b888", "#c08850", "#905830", "#503020")

THINGS = (  # code points, name, tags, group, shape and its colour, the shape on it and its colour
    ("1f34e", "red apple", ("fruit", "crisp"), "food", "circle", RED, "star", "#902018"),
    ("1f34f", "green apple", ("fruit", "sour"), "food", "circle", GREEN, "star", "#186830"),
    ("1f34b", "lemon", ("citrus", "sour"), "food", "diamond", YELLOW, "diamond", "#a89018"),
    ("1f955", "carrot", ("vegetable",), "food", "triangle", ORANGE, "ring", "#a05810"),
    ("1f346", "eggplant", ("vegetable", "aubergine"), "food", "heart", PURPLE, "square", "#502078"),
    ("1f433", "whale", ("sea", "animal"), "animals", "square", BLUE, "circle", "#183888"),
    ("1f438", "frog", ("pond", "animal"), "animals", "cross", GREEN, "circle", "#186830"),
    ("2b50", "star", ("night", "favourite"), "travel", "star", YELLOW, "circle", "#a89018"),
    ("1f427", "penguin", ("antarctica", "animal"), "animals", "circle", DARK, "heart", GRAY),
    ("1f431", "cat", ("pet", "animal"), "animals", "square", GRAY, "triangle", DARK),
    ("1f436", "dog", ("pet", "puppy", "animal"), "animals", "heart", GRAY, "cross", DARK),
    ("1f355", "pizza", ("slice", "cheese"), "food", "triangle", YELLOW, "circle", BLUE),
    ("1f697", "automobile", ("car", "drive"), "travel", "cross", CYAN, "square", RED),
    ("26bd", "soccer ball", ("sport", "football"), "activities", "ring", DARK, "star", DARK),
    ("1f381", "wrapped gift", ("present",), "activities", "square", PINK, "cross", GREEN),
    ("1f419", "octopus", ("sea", "animal"), "animals", "star", GRAY, "square", DARK),
    ("1f347", "grapes", ("fruit", "bunch"), "food", "diamond", PURPLE, "cross", GREEN),
    ("1f1eb-1f1f7", "flag: France", ("FR",), "flags", "square", BLUE, "diamond", "#ffffff"),
    ("1f469-200d-1f680", "astronaut", ("rocket", "space"), "people", "heart", ORANGE, "circle", CYAN),
    ("1f44b", "waving hand", ("hello", "wave"), "people", "cross", YELLOW, "star", ORANGE))


@cache
def drawn(shape: str, colour: str, mark: str, on_it: str) -> Image.Image:
    """A shape with another one on it, on nothing: RGBA, 96 x 96."""
    image = Image.new("RGBA", (384, 384))
    draw = ImageDraw.Draw(image)
    for outline, radius, fill in ((OUTLINES[shape], 180, colour), (OUTLINES[mark], 84, on_it)):
        draw.polygon((192 + radius * outline).ravel().tolist(), fill=fill)
    return image.reduce(4)


def small_set(things=THINGS) -> dict[str, tuple[str, tuple, str, Image.Image]]:
    """{code points: (name, tags, group, image)}; people also in the five skin tones, as the shape's colour."""
    found = {}
    for codes, name, tags, group, *look in things:
        found[codes] = name, tags, group, drawn(*look)
        for (tone, word), skin in zip(TONES.items() if group == "people" else (), SKINS, strict=False):
            first, *rest = codes.split("-")
            toned = "-".join([first, f"{tone:x}", *rest])
            found[toned] = f"{name}: {word} skin tone", tags, group, drawn(look[0], skin, *look[2:])
    return found


def raw_set(folder: Path, things=THINGS) -> tuple[Path, Path]:
    """The images as a set of files named by code points, and a file like emojibase's data.json."""
    images, entries = folder / "set", {}
    images.mkdir(parents=True)
    for codes, (name, tags, group, image) in small_set(things).items():
        image.save(images / f"{codes}.png")
        entry = {"hexcode": codes.upper(), "label": name}
        plain = name.partition(": " if group == "people" else "\n")[0]
        if plain in entries:
            entries[plain].setdefault("skins", []).append(entry)
        else:
            entries[plain] = entry | {"tags": list(tags), "group": GROUPS.index(group)}
    (folder / "data.json").write_text(json.dumps(list(entries.values())), "utf-8")
    return images, folder / "data.json"


def emoji_folder(folder: Path, things=THINGS) -> Path:
    """A folder of emoji as `minidiff data emoji` makes it."""
    images, names = raw_set(folder / "raw", things)
    write_folder(images, folder / "emoji", names)
    return folder / "emoji"

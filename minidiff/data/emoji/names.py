"""The name of an emoji, from the code points in the name of its file: 1f469-1f3fd-200d-1f680.webp, emoji_u1f427.png."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from ...errors import UserError
from ...reading import read_text, reason

LARGEST = 10_000_000  # bytes of a table: emojibase's has less than a million
CODES = re.compile(r"(?:emoji_?)?u?([0-9a-f]{2,6}(?:[-_][0-9a-f]{2,6})*)", re.IGNORECASE)
JOINER, AS_IMAGE, KEYCAP, FLAG, FLAG_END = 0x200D, 0xFE0F, 0x20E3, 0x1F3F4, 0xE007F
TONES = {0x1F3FB: "light", 0x1F3FC: "medium-light", 0x1F3FD: "medium", 0x1F3FE: "medium-dark", 0x1F3FF: "dark"}
LETTERS = range(0x1F1E6, 0x1F200)       # two of them are the flag of a country
TAGS = range(0xE0020, 0xE007F)          # ASCII letters that nobody sees; they name the flag of a region
FIRST, OTHERS = 0x203C, (0xA9, 0xAE, 0x2139)  # the first of the symbols among which emoji are, and those outside
SYMBOLS = ("So", "Sm", "Sk", "Po", "Pd")      # Unicode's categories of those symbols
GROUPS = ("smileys", "people", "component", "animals", "food", "travel", "activities", "objects", "symbols", "flags")


class Named(NamedTuple):
    """An emoji's name, other words for it, and Unicode's group ("" if it is not known)."""

    name: str
    tags: tuple[str, ...] = ()
    group: str = ""


def code_points(stem: str) -> tuple[int, ...] | None:
    """The code points that the name of a file, without its ending, consists of; None if it doesn't.

    The variation selector FE0F is left out, as sets of images disagree about it.
    """
    match = CODES.fullmatch(stem)
    if match is None:
        return None
    codes = [int(code, 16) for code in re.split("[-_]", match[1])]
    if max(codes) > 0x10FFFF:
        return None
    return tuple(code for code in codes if code != AS_IMAGE) or None


def has_tone(codes: tuple[int, ...]) -> bool:
    """Whether an emoji is shown in a skin tone."""
    return len(codes) > 1 and not TONES.keys().isdisjoint(codes)


def read_names(path: Path) -> dict[tuple[int, ...], Named]:
    """The names in emojibase's data.json, by code points. Raises UserError if it is another file."""
    names = {}
    try:
        for entry in json.loads(read_text(path, LARGEST)):
            group = GROUPS[entry["group"]] if "group" in entry else "component"
            for one in (entry, *entry.get("skins", ())):
                codes = tuple(int(code, 16) for code in one["hexcode"].split("-"))
                codes = tuple(code for code in codes if code != AS_IMAGE)
                names[codes] = Named(str(one["label"]), tuple(map(str, entry.get("tags", ()))), group)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from None
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        raise UserError(f"{path} is not emojibase's data.json: leave it out to take Unicode's own names") from None
    return names


def unicode_name(codes: tuple[int, ...]) -> Named | None:
    """The name that Python's Unicode tables give; None if it is not an emoji.

    A sequence is named by its parts: "woman, rocket: medium skin tone", "flag: FR", "keycap: 1".
    """
    if len(codes) == 2 and codes[1] == KEYCAP:
        return Named(f"keycap: {chr(codes[0])}", group="symbols")
    if len(codes) == 2 and all(code in LETTERS for code in codes):
        return Named("flag: " + "".join(chr(code - LETTERS.start + ord("A")) for code in codes), group="flags")
    if codes[0] == FLAG and codes[-1] == FLAG_END:
        return Named("flag: " + "".join(chr(code - 0xE0000) for code in codes if code in TAGS), group="flags")
    parts = [code for code in codes if code != JOINER and (code not in TONES or len(codes) == 1)]
    if not any(map(_is_symbol, parts)):
        return None
    name = ", ".join(unicodedata.name(chr(code), f"{code:x}").lower() for code in parts)
    tones = dict.fromkeys(TONES[code] for code in codes if code in TONES) if has_tone(codes) else ()
    return Named(name + (": " + ", ".join(f"{tone} skin tone" for tone in tones) if tones else ""))


def _is_symbol(code):
    """Whether a code point is a symbol of the kinds that emoji are, as no table of Python says which ones are emoji."""
    return code in OTHERS or (code >= FIRST and unicodedata.category(chr(code)) in SYMBOLS)

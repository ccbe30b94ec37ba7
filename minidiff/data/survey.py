"""What a person's image files are, before they are trained on: sizes, modes, duplicates, faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..reading import reason
from .image_cache import digest_of, in_threads
from .reading.captions import folded
from .reading.decode import decode, opened
from .reading.found import Found, Item, Problem

SAMPLE = 256  # images whose headers tell the median size


@dataclass(frozen=True)
class Seen:
    """An image file: width and height in pixels, Pillow's name of its mode, a digest of its content; or its fault."""

    name: str
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    digest: str = ""
    fault: str = ""


def look_at(items: list[Item]) -> Iterator[Seen]:
    """Read and decode every image."""
    return in_threads(_look_at, items)


def _look_at(item):
    try:
        data = item.read()
        size = decode(data).size
        return Seen(item.name, size, _header(data)[1], digest_of(data))
    except (UserError, OSError) as error:
        return Seen(item.name, fault=reason(error))


def median_side(items: list[Item]) -> int | None:
    """The median of the shorter sides of some of the images, spread evenly; None if none of them can be read."""
    sides = []
    for item in items[::max(1, len(items) // SAMPLE)]:
        try:
            sides.append(min(_header(item.read())[0]))
        except Exception:  # on damaged files, Pillow's plugins raise nearly all there are
            continue
    return sorted(sides)[len(sides) // 2] if sides else None


def _header(data):
    """Size and mode, without decoding."""
    if isinstance(data, np.ndarray):
        return data.shape[1::-1], f"{data.dtype} array"
    with opened(data) as image:
        return image.size, image.mode


def duplicates(seen: list[Seen]) -> list[list[str]]:
    """The names of files with the same content, group by group."""
    counts = Counter(one.digest for one in seen if not one.fault)
    groups: dict[str, list[str]] = {digest: [] for digest, count in counts.items() if count > 1}
    for one in seen:
        if one.digest in groups:
            groups[one.digest].append(one.name)
    return list(groups.values())


def distinct_captions(items: list[Item]) -> set[str]:
    """The captions that differ in more than case and white space."""
    return {folded(item.caption) for item in items}


def faults_of(found: Found, seen: list[Seen]) -> list[Problem]:
    return found.problems + [Problem(one.name, one.fault) for one in seen if one.fault]

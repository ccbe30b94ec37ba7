"""A set of emoji images as a folder of captioned images: the files, and metadata.jsonl with their names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from ...errors import UserError
from ...writing import new_folder
from .names import code_points, read_names, unicode_name

TABLE = "metadata.jsonl"
ENDINGS = (".png", ".webp", ".gif", ".jpg", ".jpeg", ".avif")


class Written(NamedTuple):
    """How many images were written, and the files that are not named by an emoji's code points, or by the same ones."""

    count: int
    unnamed: list[str]


def write_folder(images: Path, out: Path, names: Path | None = None) -> Written:
    """Copy the emoji in the folder `images` to the new folder `out`, with a row of metadata.jsonl for each.

    The names come from emojibase's data.json, if `names` is its path, or else from Unicode. Raises UserError if there
    are no emoji in `images`, or if `out` exists or cannot be written; it is then whole or not there.
    """
    if not images.is_dir():
        raise UserError(f"{images} is not a folder: give one with images named by code points, such as 1f427.png")
    if out.exists():
        raise UserError(f"{out} exists already: remove it, or choose another folder")
    known = read_names(names) if names else {}
    rows, unnamed, seen = [], [], set()
    for file in sorted(file for file in images.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file()):
        codes = code_points(file.stem)
        named = codes and (known.get(codes) or (None if known else unicode_name(codes)))
        if not named or codes in seen:
            unnamed.append(str(file.relative_to(images)))
            continue
        seen.add(codes)
        rows.append((file, {"file_name": file.name, "text": named.name, "tags": named.tags, "group": named.group}))
    if not rows:
        raise UserError(f"{images} has no images named by code points, such as 1f427.png or emoji_u1f427.png"
                        + (f", that {names} names" if names else ""))
    with new_folder(out) as new:
        for file, _ in rows:
            shutil.copyfile(file, new / file.name)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for _, row in rows)
        (new / TABLE).write_text(lines, encoding="utf-8")
    return Written(len(rows), unnamed)

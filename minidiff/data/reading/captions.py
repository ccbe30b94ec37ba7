"""Captions out of texts, names and tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ...errors import UserError

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
COUNTER = re.compile(r"\(?\d+\)?|(?=[a-f]*\d)[0-9a-f]{6,}", re.IGNORECASE)  # 01, (2), and hashes such as 3fa9c1


def one_line(text: str) -> str:
    """The text with single spaces, in composed characters, valid as UTF-8."""
    return unicodedata.normalize("NFC", " ".join(text.split())).encode("utf-8", "replace").decode("utf-8")


def folded(caption: str) -> str:
    """What is equal for captions that differ only in case and white space."""
    return " ".join(caption.lower().split())


def first_line(text: str) -> str:
    return one_line(next((line for line in text.splitlines() if line.strip()), ""))


def from_file_name(stem: str) -> str:
    """'a-red-cat_01' -> 'a red cat'"""
    words = re.sub(r"[-_.+\s]+", " ", UUID.sub("", stem)).split()
    while words and COUNTER.fullmatch(words[-1]):
        words.pop()
    return one_line(" ".join(words))


def check_template(template: str) -> None:
    """Raises UserError if there is no place for the name of a class."""
    if "{}" not in template:
        raise UserError(f"the caption template {template!r} has no {{}}, where the class is put in: "
                        "write, for example, 'a photo of a {}'")


def of_class(name: str, template: str) -> str:
    """The caption of an image of a class: 'fire_truck', 'a {}' -> 'a fire truck'"""
    words = one_line(re.sub(r"[-_]+", " ", name))
    return one_line(template.replace("{}", words)) if words else ""


def caption_in(value: object, template: str, names: Sequence[str] | None = None) -> str:
    """The caption in a field of a table: a text, the first of several, or the class of a label, a whole number.

    Anything else gives "".
    """
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, int) and not isinstance(value, bool):
        if names is None:
            return of_class(str(value), template)
        return of_class(names[value], template) if 0 <= value < len(names) else ""
    return value if isinstance(value, str) else ""


def text_of(data: bytes) -> str:
    """Raises UserError if it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8 text: save it as UTF-8") from error


def check_column(name: str, columns: Iterable[str], column: str) -> None:
    """Raises UserError if the table has no such column."""
    if column not in columns:
        raise UserError(f"{name} has no column {column!r}, only {', '.join(map(repr, columns)) or 'none'}: "
                        "name the column with the captions by --caption-column, or in train --data.caption_column")

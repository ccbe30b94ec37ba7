"""Files of a model as text and JSON: regular files only, bounded in size and depth, with one-line errors.

A pipe or a device that stands in a file's place would never end; JSON becomes thirty times its size in memory.
"""

from __future__ import annotations

import json
from pathlib import Path

from .errors import UserError

LARGEST = 1_000_000              # bytes: a configuration has a few thousand
DEEPEST = 12                     # lists or objects in each other: a tokenizer.json has six
LARGEST_VOCABULARY = 30_000_000  # CLIP's tokenizer.json has 2.2 million
LONGEST_NAME = 255               # bytes of a file's name, on nearly all file systems
LONGEST_PATH = 4095              # bytes of a name with its folders, on Linux


def absolute(name: str | Path) -> Path:
    """The absolute path of a name that may begin with ~. Raises UserError if there is no such place."""
    if not str(name):
        raise UserError("an empty name: give that of a file or folder, such as . for the current folder")
    try:
        return Path(name).expanduser().resolve()
    except RuntimeError as error:  # an unknown user, or links that lead to each other
        raise UserError(f"{name} leads nowhere ({error}): give the name of a file or folder") from error


def check_regular(path: Path) -> None:
    """Raises OSError unless a path leads to an ordinary file: others may never end, or wait for a writer."""
    if path.exists() and not path.is_file():
        raise OSError("not a regular file")


def read_text(path: Path, largest: int = LARGEST, errors: str = "strict") -> str:
    """The text of a file of at most so many bytes. Raises OSError, or ValueError for one that is larger or no UTF-8."""
    check_regular(path)
    with open(path, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"larger than {largest / 1e6:g} MB")
    return content.decode(errors=errors)


def read_json(path: Path, largest: int = LARGEST) -> dict:
    """The object in a JSON file. Raises UserError if the file is missing or invalid."""
    try:
        content = json.loads(read_text(path, largest))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        if _deeper(content, DEEPEST):
            raise ValueError(f"more than {DEEPEST} lists or objects in each other")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path} ({reason(error)}): get it again from the source of the model") from error
    return content


def _deeper(value, most):
    """Whether more than `most` lists or objects are in each other."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most < 1 or any(_deeper(one, most - 1) for one in inside if isinstance(one, dict | list))


def reason(error: Exception) -> str:
    """Why something failed, on one short line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:160]

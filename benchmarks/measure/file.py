"""The file of results, written anew after each row, so that a run that is stopped keeps what it has measured."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import plots


def kept(rows: Iterable[dict], results: dict, file: Path) -> Iterator[dict]:
    """The rows, each written to `file` as it comes, with plots whenever a part of them is complete.

    A part is what rows say that they belong to; rows that say nothing are one part.
    """
    results["rows"] = []
    write(results, file)
    for row in rows:
        if results["rows"] and row.get("part") != results["rows"][-1].get("part"):
            plots.draw(results, file.parent, file.stem)
        results["rows"].append(row)
        write(results, file)
        yield row


def write(results: dict, file: Path) -> None:
    """All of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, file)

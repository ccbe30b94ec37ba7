"""The file of results, written anew after each row, so that a run that is stopped keeps what it has measured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import plots


def kept(rows: Iterable[dict], results: dict, file: Path, earlier: Iterable[dict] = ()) -> Iterator[dict]:
    """The rows, each written to `file` as it comes, with plots whenever a part of them is complete.

    A part is what rows say that they belong to; rows that say nothing are one part. Rows of an `earlier` run stay until
    one of the same name comes. The header of `results` is that of this run, so each row has the facts of its own.
    """
    found, last = {name_of(row): row for row in earlier}, None
    for row in rows:
        if last and row.get("part") != last.get("part"):
            drawn(results, file)
        last = found[name_of(row)] = run_of(results) | row
        results["rows"] = list(found.values())
        write(results, file)
        yield row


def drawn(results: dict, file: Path) -> list[Path]:
    """The plots. Where they can't be drawn, that must not cost what is still to be measured."""
    try:
        return plots.draw(results, file.parent, file.stem)
    except Exception as error:
        print(f"no plots: {type(error).__name__}: {error}", file=sys.stderr)
        return []


def rows_of(file: Path) -> list[dict]:
    """The rows of a file of results, if there is one, with the facts of their runs."""
    if not file.exists():
        return []
    results = json.loads(file.read_text("utf-8"))
    return [run_of(results) | row for row in results["rows"]]


def name_of(row: dict) -> tuple:
    return tuple(row.get(name) for name in ("what", "detail", "part", "seed"))


def run_of(results: dict) -> dict:
    """When, of which commit and with how many threads the rows of a run were measured."""
    machine = results["machine"]
    return {"date": machine["date"], "commit": machine["commit"], "threads": results["options"].get("threads")}


def write(results: dict, file: Path) -> None:
    """All of it or nothing."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, file)

"""The captions of a Hugging Face ImageFolder: a table `metadata.jsonl` or `metadata.csv` beside the images.

A row has the path of an image, relative to the table, in the column `file_name`, and its caption in another one.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath

from ...errors import UserError
from .captions import caption_in, check_column
from .file_tree import OTHER_IMAGES, FileTree, suffix

TABLES = ("metadata.jsonl", "metadata.csv")


def from_metadata(tree: FileTree, images: list[str], column: str, template: str) -> dict[str, str] | None:
    """{image: caption}, or None if there is no table."""
    tables = [name for name in sorted(tree.files) if posixpath.basename(name) in TABLES]
    captions, known = {}, {*images}
    for table in tables:
        if table.endswith(".csv") and table[:-3] + "jsonl" in tables:
            tree.refuse(table, "not used, as metadata.jsonl is beside it")
            continue
        columns: dict[str, None] = {}  # in their order
        for row in _rows(tree, table):
            columns |= {key: None for key in row if isinstance(key, str)}
            _add_row(captions, tree, known, table, row, column, template)
        if "file_name" not in columns:
            way = ("separate its columns by commas" if any(set(";\t") & set(name) for name in columns) else
                   "give this name to the column with the files of the images")
            raise UserError(f"{table} has no column 'file_name', only {', '.join(map(repr, columns)) or 'none'}: {way}")
        check_column(table, columns, column)
    return captions if tables else None


def _add_row(captions, tree, images, table, row, column, template):
    file = row.get("file_name")
    name = posixpath.normpath(posixpath.join(posixpath.dirname(table), str(file)))
    if name in tree.files and suffix(name) in OTHER_IMAGES:
        return
    if not file or name not in images:
        tree.refuse(str(file), f"a row of {table}, but there is no such image")
    elif name in captions:
        tree.refuse(name, f"more than one row of {table}: the first is used")
    else:
        captions[name] = caption_in(row.get(column), template)


def _rows(tree, table):
    """The rows as dictionaries, one by one: a table may have millions. Lines that are none become problems."""
    try:
        file = io.BytesIO(tree.files[table]())
        if table.endswith(".csv"):
            yield from csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
        else:
            yield from _json_lines(tree, table, io.TextIOWrapper(file, "utf-8-sig", newline="\n"))
    except (UserError, UnicodeDecodeError, csv.Error) as error:
        fault = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise UserError(f"cannot read {table} ({fault}): save it as CSV or JSON lines in UTF-8") from error


def _json_lines(tree, table, lines):
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = parsed(line)
            if row is None:
                tree.refuse(f"{table}, line {number}", "not a JSON object")
            else:
                yield row


def parsed(text: str | bytes) -> dict | None:
    """The JSON object in a text, if there is one."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None

"""Captioned images in a Parquet file, as Hugging Face stores data sets: a column of images, a column of captions."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

from ...errors import UserError
from .captions import caption_in, check_column, one_line
from .file_tree import LARGEST, read_part
from .found import NO_CAPTION, Found, Item, Problem
from .metadata import parsed


def in_parquet(path: Path, column: str, template: str) -> Found:
    """Raises UserError if pyarrow is missing, or the file has no such columns."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"reading {path} needs pyarrow: pip install minidiff[parquet]") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            check_column(str(path), schema.names, column)
            images = next((field.name for field in schema if _holds_images(field.type)), None)
            if images is None:
                raise UserError(f"{path} has no column of images among {', '.join(map(repr, schema.names))}: "
                                "store them as bytes")
            values, names = file.read(columns=[column], use_threads=False)[column].to_pylist(), _names(schema, column)
            sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"cannot read {path} ({' '.join(str(error).split())}): get it again from its source") from error
    group = lru_cache(maxsize=2)(partial(_group, path, images))
    rows = [(index, row) for index, size in enumerate(sizes) for row in range(size)]
    width, items, problems = len(str(len(rows))), [], []
    for number, (place, value) in enumerate(zip(rows, values, strict=True)):
        name = f"{number:0{width}}"
        if caption := one_line(caption_in(value, template, names)):
            items.append(Item(name, caption, partial(_image, path, group, *place)))
        else:
            problems.append(Problem(name, NO_CAPTION))
    return Found("Parquet", items, problems)


def _names(schema, column):
    """The names of the labels in a column, as Hugging Face's ClassLabel keeps them in the file, or None."""
    notes = parsed((schema.metadata or {}).get(b"huggingface", b""))
    try:
        names = notes["info"]["features"][column]["names"]
    except (LookupError, TypeError):
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _holds_images(kind):
    """Bytes, or Hugging Face's {bytes, path}."""
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_images(field.type) for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _group(path, column, index):
    """The images of one row group, the smallest part that can be read."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            return file.read_row_group(index, columns=[column], use_threads=False)[column]
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError("truncated or damaged in its file") from error


def _image(path, group, index, row):
    value = group(index)[row].as_py()
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None and isinstance(value, dict) and value.get("path"):
        file = (path.parent / value["path"]).resolve()
        if not file.is_relative_to(path.parent.resolve()) or not file.is_file():
            raise UserError("its file is not beside the Parquet file")
        data = read_part(file)
    if data is None:
        raise UserError("no image in this row")
    if len(data) > LARGEST:
        raise UserError(f"larger than {LARGEST >> 20} MB")
    return data

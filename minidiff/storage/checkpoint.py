"""Checkpoints of a training run: one file each, written atomically, with a checksum; the last two are kept.

They are safetensors files, so any tool can open their arrays; everything else is JSON in the metadata.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..backend import to_host
from ..errors import UserError
from ..writing import new_file
from .tensors import map_tensors, write_tensors

Arrays = dict[str, np.ndarray]
NAME = re.compile(r"checkpoint-(\d{8,})\.safetensors")


def save_checkpoint(path: str | Path, arrays: Arrays, state: dict) -> None:
    """Write arrays and a state of JSON values. Raises UserError if the file cannot be written."""
    arrays = {name: np.asarray(to_host(value), order="C") for name, value in arrays.items()}
    text = json.dumps(state)
    with new_file(Path(path)) as temporary:
        write_tensors(temporary, arrays, {"state": text, "sha256": _checksum(arrays, text)})


def load_checkpoint(path: str | Path) -> tuple[Arrays, dict]:
    """The arrays, read-only views of the file, and the state. Raises UserError if a single bit has changed."""
    arrays, metadata = map_tensors(Path(path))
    text = metadata.get("state", "")
    if metadata.get("sha256") != _checksum(arrays, text):
        raise UserError(f"{path} is damaged or not a checkpoint (its checksum is wrong): resume from another one")
    try:
        return arrays, json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a checkpoint (its state cannot be read): resume from another one") from error


def save_step(folder: str | Path, step: int, arrays: Arrays, state: dict, keep: int = 2) -> Path:
    """Write the checkpoint of a step into a folder, then delete all but it and the `keep` - 1 before it.

    Checkpoints of later steps are deleted too: training was resumed from an earlier one.
    """
    path = Path(folder) / f"checkpoint-{step:08d}.safetensors"
    save_checkpoint(path, arrays, state)
    found = list_checkpoints(folder)
    place = found.index(path)
    for other in found[:max(0, place - keep + 1)] + found[place + 1:]:
        with suppress(OSError):
            other.unlink()
    return path


def latest(folder: str | Path) -> tuple[Path, Arrays, dict] | None:
    """The newest intact checkpoint as (path, arrays, state), or None if the folder has no checkpoints.

    Warns about each damaged one that it skips. Raises UserError if all are damaged.
    """
    found = list_checkpoints(folder)
    for path in reversed(found):
        try:
            return path, *load_checkpoint(path)
        except UserError as error:
            warnings.warn(f"{error}; trying the one before it", stacklevel=2)
    if found:
        raise UserError(f"all checkpoints in {folder} are damaged: start a new run in another folder")
    return None


def list_checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    found = {int(name[1]): path for path in Path(folder).glob("checkpoint-*") if (name := NAME.fullmatch(path.name))}
    return [found[step] for step in sorted(found)]


def _checksum(arrays, text):
    """SHA-256 of the state, and of every array with its name, dtype and shape."""
    names = sorted(arrays)
    described = [text, [(name, arrays[name].dtype.str, arrays[name].shape) for name in names]]
    digest = hashlib.sha256(json.dumps(described).encode())
    for name in names:
        digest.update(arrays[name].reshape(-1).view(np.uint8))
    return digest.hexdigest()

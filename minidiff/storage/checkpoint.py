"""Training states: one file each, written whole, with a checksum, the last two kept.

A file is a safetensors file, so its arrays can be looked at with any tool; everything else is JSON in its metadata.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..backend import to_host
from ..errors import UserError
from .files import new_file
from .tensors import map_tensors, write_tensors

Arrays = dict[str, np.ndarray]


def save_checkpoint(path: str | Path, arrays: Arrays, state: dict) -> None:
    """Write arrays and a state of JSON values, NumPy numbers and small arrays (they become lists).

    `generator.bit_generator.state` is such a value. Raises UserError where the file cannot be written.
    """
    arrays = {name: np.asarray(to_host(value), order="C") for name, value in arrays.items()}
    text = json.dumps(state, default=_plain)
    with new_file(Path(path)) as temporary:
        write_tensors(temporary, arrays, {"state": text, "sha256": _checksum(arrays, text)})


def load_checkpoint(path: str | Path) -> tuple[Arrays, dict]:
    """The arrays, read-only views of the file, and the state. Raises UserError where one bit is not as it was saved."""
    arrays, metadata = map_tensors(Path(path))
    text = metadata.get("state", "")
    if metadata.get("sha256") != _checksum(arrays, text):
        raise UserError(f"{path} is damaged, or no checkpoint: its checksum is wrong; resume from another one")
    return arrays, json.loads(text)


def save_step(folder: str | Path, step: int, arrays: Arrays, state: dict, keep: int = 2) -> Path:
    """Write the checkpoint of a step into a folder, then remove all but it and the `keep` - 1 before it.

    Checkpoints of later steps are of a future that was given up when training resumed: they go too.
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
    """The newest checkpoint that is whole, as (path, arrays, state); None where there is none at all.

    Warns of each damaged one that it passes over. Raises UserError where all are damaged.
    """
    found = list_checkpoints(folder)
    for path in reversed(found):
        try:
            return path, *load_checkpoint(path)
        except UserError as error:
            warnings.warn(f"{error}; going on with the one before it", stacklevel=2)
    if found:
        raise UserError(f"all checkpoints in {folder} are damaged: start anew in another folder")
    return None


def list_checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints of a folder, the oldest first."""
    return sorted(Path(folder).glob("checkpoint-????????.safetensors"))


def _checksum(arrays, text):
    """SHA-256 of the state, and of every array with its name, dtype and shape."""
    names = sorted(arrays)
    described = [text, [(name, arrays[name].dtype.str, arrays[name].shape) for name in names]]
    digest = hashlib.sha256(json.dumps(described).encode())
    for name in names:
        digest.update(arrays[name].reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _plain(value):
    """A NumPy array or number as JSON knows it."""
    return value.tolist()

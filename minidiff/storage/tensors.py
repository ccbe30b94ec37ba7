"""The safetensors format: eight bytes with the length of a JSON header, the header, the tensors' bytes.

    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"format": "pt"}}

The safetensors library validates a file before it is read here. Tensors are memory-mapped, not copied: pages are read
from disk when they are first touched and are shared between processes. Files are written here because the library's
writer makes them readable by their owner only, and leaves a temporary file behind when it is killed.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from ..errors import UserError
from ..reading import check_regular, reason

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}
CODES = {np.dtype(numpy_name): code for code, numpy_name in DTYPES.items()}


class UnsupportedDtype(Exception):
    """A file is whole, but NumPy lacks a dtype of it."""


def write_tensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a file, the widest dtypes first so that every tensor is aligned.

    Raises OSError, or UserError for a dtype that the format lacks.
    """
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])))
    header, end = {"__metadata__": metadata}, 0
    for name, value in tensors.items():
        if value.dtype not in CODES:
            raise UserError(f"cannot write {name} in {value.dtype.str}: use one of {', '.join(DTYPES.values())}")
        start, end = end, end + value.nbytes
        header[name] = {"dtype": CODES[value.dtype], "shape": value.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value).reshape(-1).view(np.uint8))


def map_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors of a file, as read-only views of its bytes (bfloat16 as float32 copies), and its metadata.

    Raises UserError if the file is missing or damaged, or has a dtype that NumPy lacks.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="numpy"), open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            start = file.tell()
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        metadata = header.pop("__metadata__", None) or {}
        return {name: _view(content, start, entry) for name, entry in header.items()}, metadata
    except UnsupportedDtype as error:
        raise UserError(f"{path} has {error}") from error
    except (AttributeError, LookupError, OSError, SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"cannot read {path} ({reason(error)}): the file is missing or damaged; "
                        "get it again") from error


def _view(content, start, entry):
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype == "BF16":  # the upper half of a float32
        bits = np.frombuffer(content, "<u2", (end - begin) // 2, start + begin)
        return (bits.astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in DTYPES:
        kind = "fp8" if dtype.startswith("F8") else "another kind of"
        raise UnsupportedDtype(f"{kind} weights ({dtype}): get the model in float16 or float32")
    value = np.frombuffer(content, DTYPES[dtype], (end - begin) // np.dtype(DTYPES[dtype]).itemsize, start + begin)
    return np.require(value.reshape(shape), requirements="A")  # aligned: copies only if the header has an odd length

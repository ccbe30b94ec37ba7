"""An array in a .npy file that is written row by row, so that it never has to be in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..writing import new_file


class Rows:
    """A uint8 array (M, H, W, C) in an open file, to which images (H, W, C) can be appended."""

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]):
        self.file, self.shape, self.count = file, shape, 0
        self.write_header()

    def write_header(self) -> None:
        """NumPy leaves room for more digits of the first dimension, so a later header has the same length."""
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, {"descr": "|u1", "fortran_order": False,
                                                         "shape": (self.count, *self.shape)})

    def append(self, row: np.ndarray) -> None:
        self.file.write(row.tobytes())
        self.count += 1


@contextmanager
def new_rows(path: Path, shape: tuple[int, ...]) -> Iterator[Rows]:
    """An array without rows; it replaces the file `path` when the block ends without an error."""
    with new_file(path) as temporary, open(temporary, "wb") as file:
        rows = Rows(file, shape)
        yield rows
        rows.write_header()

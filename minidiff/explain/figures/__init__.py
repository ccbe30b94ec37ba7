"""The figure of each folder's README.md: a file named like the folder, with one function `figure()`.

Each is drawn from the same seeds every time, so that a file on disk can be compared with what its script draws.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = [name for _, name, _ in pkgutil.iter_modules(__path__)]


def drawn(name: str):
    """The figure of the folder `name`, a Pillow image."""
    return importlib.import_module(f"{__name__}.{name}").figure()


def write_figures(root: Path = ROOT):
    """Draw each figure into its folder as figure.png. Yields the paths."""
    for name in NAMES:
        path = root / name / "figure.png"
        drawn(name).save(path, optimize=True)
        yield path

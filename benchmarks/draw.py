"""Plots and pages of files of results that there are already: `python -m benchmarks.draw FILE ...`"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .leaderboard import page as leaderboard
from .measure import plots
from .numpy_cupy import page as numpy_cupy

PAGES = {"numpy-cupy": numpy_cupy.write, "leaderboard": leaderboard.write}  # from a file of results


def draw(results: dict, file: Path) -> list[Path]:
    """The files written next to the file of results."""
    files = plots.draw(results, file.parent, file.stem)
    page = PAGES.get(results["benchmark"])
    return files + (page(results, file.parent, file.stem) if page else [])


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        print(*draw(json.loads(file.read_text("utf-8")), file), sep="\n")

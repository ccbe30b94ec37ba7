"""The images of a run: its source, and a person's own images read into the run's folder before the first stage."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .loop import Progress


def read_images(run) -> Iterator[Progress]:
    """Read a person's images into data/ in the folder of a run, unless they are there."""
    if run.cache is None or run.cache.whole:
        return
    start = time.monotonic()
    for done, count in run.cache.fill(run.found):
        seconds = (time.monotonic() - start) / done
        yield Progress("images", done, count, {}, 0.0, 0.0, 1 / seconds, seconds * (count - done))

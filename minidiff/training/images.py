"""The images of a run: its source, and a person's own images read into the run's folder before the first stage."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..data.reading.found import Found
from ..errors import UserError
from .loop import Progress


def read_images(run) -> Iterator[Progress]:
    """Read a person's images into data/ in the folder of a run, unless they are there.

    Raises UserError, and keeps nothing, where images came, went or got other captions meanwhile.
    """
    if run.cache is None or run.cache.whole:
        return
    start, found = time.monotonic(), run.found or run.cache.find()
    for done, count in run.cache.fill(found):
        if done == count and captions(run.cache.find()) != captions(found):
            raise UserError(f"{run.cache.source} has changed while it was read: go on with --resume, which reads it "
                            "again, once it stays as it is")
        seconds = (time.monotonic() - start) / done
        yield Progress("images", done, count, {}, 0.0, 0.0, 1 / seconds, seconds * (count - done))


def captions(found: Found) -> dict[str, str]:
    return {item.name: item.caption for item in found.items}

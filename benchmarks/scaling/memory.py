"""The memory of a grown step, in a process of its own: RUNTIME SIZE GROWTH FACTOR THREADS -> a line of JSON."""

from __future__ import annotations

import json
import sys

from ..steps.memory import memory_of
from .growth import stage_at


def main(runtime, size, growth, factor, threads) -> dict:
    """What the stage with its data and three training steps add to a process with the libraries."""
    return memory_of(runtime, lambda: stage_at(size, growth, float(factor)), int(threads))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

"""NumPy and CuPy side by side: every op's time against its size, and a training step from plain ops to a graph.

Where no GPU is, the half that is NumPy's is measured, and rows and the page say what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minidiff.backend import gpu_available, keep_memory
from minidiff.nn.threads import cores

from ..gpu.job import Setup
from ..gpu.waterfall import waterfall
from ..measure.rows import left_out
from ..measure.threads import limited
from ..ops.curves import LARGEST, curve, drawn


def measure(sizes: Sequence[str] = ("small",), match: str = "", rounds: int = 3, pause: float = 0.0,
            threads: int | None = None) -> Iterator[dict]:
    """`sizes` has the size of the model whose step is timed; `match` is of an op and direction, or "waterfall"."""
    keep_memory()
    threads, quick = threads or cores(), sizes[0] == "smoke"
    with limited(threads):
        for direction in ("forward", "backward"):
            for case, letters in drawn():
                if match in f"{case.label}, {direction}":
                    yield from (row | {"part": direction} for row in curve(
                        case, letters, direction, 1 << 14 if quick else LARGEST, rounds, pause))
        for device in ("cpu", "cuda") if match in "waterfall" else ():
            if device == "cpu" or gpu_available():
                setup = Setup(device, sizes[0], sizes[0], rounds, pause, threads, quick)
                yield from (row | {"part": f"step, {device}"} for row in waterfall(setup))
            else:
                yield left_out("waterfall", "on a GPU", "no GPU found") | {"part": f"step, {device}"}

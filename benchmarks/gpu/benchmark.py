"""All that is to be known of a GPU, part by part, in the order of what matters; each row is kept as it is measured.

With `device` cpu all of it runs on NumPy: to try the benchmark where no GPU is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from minidiff.backend import keep_memory, resolve_device
from minidiff.nn.threads import cores

from ..measure.threads import limited
from . import ceilings, cold, host, images, ops, sizes, steps, waterfall
from .job import Setup, attempted

PARTS = {"ceilings": ceilings.jobs, "steps": steps.small, "waterfall": waterfall.jobs, "host": host.jobs,
         "ops": ops.jobs, "sizes": sizes.jobs, "images": images.jobs, "large steps": steps.large, "cold": cold.jobs,
         "compiled": steps.compiled, "large ops": ops.large}


def measure(sizes: Sequence[str] = ("small", "large"), match: str = "", minutes: float = 8.0, device: str = "cuda",
            rounds: int = 5, pause: float = 0.0, threads: int | None = None) -> Iterator[dict]:
    """Rows of every part; `match` is of its name and the job's. `sizes` are those of the small and the large model."""
    end = time.monotonic() + 60 * minutes
    resolve_device(device)
    keep_memory()
    threads = threads or cores()
    setup = Setup(device, sizes[0], sizes[-1], rounds, pause, threads, sizes[0] == "smoke")
    with limited(threads):
        for part, jobs in PARTS.items():
            for job in jobs(setup):
                job = job._replace(seconds=0.0) if setup.quick else job
                if match in f"{part}, {job.what}":
                    yield from (row | {"part": part} for row in attempted(job, end))

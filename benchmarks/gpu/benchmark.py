"""All that is to be known of a GPU, part by part, in the order of what matters; each row is kept as it is measured.

With `device` cpu all of it runs on NumPy: to try the benchmark where no GPU is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from minidiff.backend import keep_memory, resolve_device
from minidiff.nn.threads import cores

from ..measure.threads import limited
from . import ceilings, cold, host, images, ops, restart, sizes, steps, waterfall
from .job import Setup, attempted

PARTS = {"ceilings": ceilings.jobs, "steps": steps.small, "large steps": steps.large, "images": images.jobs,
         "ops": ops.jobs, "waterfall": waterfall.jobs, "compiled": steps.compiled, "cold": cold.jobs, "host": host.jobs,
         "sizes": sizes.jobs, "large ops": ops.large}


def measure(sizes: Sequence[str] = ("small", "large"), match: str = "", minutes: float = 8.0, device: str = "cuda",
            rounds: int = 5, pause: float = 0.0, threads: int | None = None, after: str = "") -> Iterator[dict]:
    """Rows of every part; `match` is of its name and the job's. `sizes` are those of the small and the large model.

    `after` is a job with which an earlier process ended: only those behind it are left.
    """
    begin = time.monotonic()
    resolve_device(device)
    keep_memory()
    threads = threads or cores()
    setup = Setup(device, sizes[0], sizes[-1], rounds, pause, threads, sizes[0] == "smoke")
    with limited(threads):
        for part, jobs in PARTS.items():
            for job in jobs(setup):
                name = f"{part}, {job.what}"
                if after or match not in name:
                    after = "" if name == after else after
                    continue
                restart.begin(name, job.seconds)
                job = job._replace(seconds=0.0) if setup.quick else job
                for row in attempted(job, begin + 60 * minutes):
                    yield row | {"part": part, "at": round(time.monotonic() - begin, 1)}
                restart.finish()

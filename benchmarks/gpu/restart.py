"""The benchmark in a process of its own, and in another one after a job that ended it.

A kernel that reads a wrong address ends all that its process does on the GPU, and one that waits for ever ends nothing.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ..measure.device import wait

NOTE = "MINIDIFF_BENCHMARK_JOB"  # the file in which a process notes the job that it is at
PATIENCE = 60.0                  # seconds that a job may take beyond twice its estimate


def in_processes(words: Sequence[str], minutes: float) -> int:
    """`python -m benchmarks WORDS`, again with what comes after a job whenever one has ended its process."""
    end, after, jobs = time.monotonic() + 60 * minutes, [], []
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "job"
        while True:
            left = max(0.0, end - time.monotonic()) / 60
            done = subprocess.run([sys.executable, "-m", "benchmarks", *words, *after, "--minutes", f"{left:.3f}"],
                                  env=os.environ | {NOTE: str(note)}, check=False)
            job = note.read_text("utf-8") if note.exists() else ""
            if done.returncode in (0, 2) or job in ("", *jobs):
                return done.returncode
            jobs.append(job)
            after = ["--after", job]
            print(f"the process ended in {job!r} with {done.returncode}: another one goes on", file=sys.stderr)


def begin(job: str, seconds: float) -> None:
    """Note the job, and end this process if it takes far longer than estimated."""
    if NOTE in os.environ:
        Path(os.environ[NOTE]).write_text(job, "utf-8")
        faulthandler.dump_traceback_later(PATIENCE + 2 * seconds, exit=True)


def finish() -> None:
    """End this process if no more can be done on the GPU."""
    if NOTE not in os.environ:
        return
    faulthandler.cancel_dump_traceback_later()
    try:
        wait()
    except Exception as error:
        print(f"the GPU does not answer: {error}", file=sys.stderr, flush=True)
        os._exit(3)

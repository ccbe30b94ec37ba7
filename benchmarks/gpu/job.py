"""A job: something to measure that has a name, and a time that it takes at most, by which it is left out or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..measure.rows import left_out
from ..measure.threads import limited


class Job(NamedTuple):
    what: str
    seconds: float  # that it takes on an H100, estimated generously
    rows: Callable[[], Iterable[dict]]


class Setup(NamedTuple):
    """What all jobs are given: where they run, the small and the large model, how often each runtime has its turn."""

    device: str = "cuda"
    small: str = "small"
    large: str = "large"
    rounds: int = 5
    pause: float = 0.0
    threads: int = 1
    quick: bool = False  # to try the benchmark itself


def attempted(job: Job, end: float) -> Iterator[dict]:
    """The rows of a job, or one that says why it has none: it no longer fits before `end`, or it failed."""
    left = end - time.monotonic()
    if job.seconds > left:
        yield left_out(job.what, "", f"needs {job.seconds:.0f} s, and {max(left, 0):.0f} s are left")
        return
    try:
        yield from job.rows()
    except Exception as error:  # one job that fails, whatever library it is in, must not cost the others
        yield left_out(job.what, "", in_a_line(error))


def in_a_line(error: Exception) -> str:
    """What went wrong, for a row that says why it was left out."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[-1][:300]}"


def on_one_core(rows: Callable[[], Iterable[dict]]) -> Callable[[], Iterator[dict]]:
    """The rows of ops, whose NumPy has one core, as in a training worker: more would wait for each other."""
    def measured():
        with limited(1):
            yield from rows()

    return measured

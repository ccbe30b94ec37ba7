"""Time against size, op by op, and where the GPU begins to win."""

from __future__ import annotations

from collections.abc import Iterator

from ..ops.curves import LARGEST, curve, drawn
from .job import Job, Setup, on_one_core


def jobs(setup: Setup) -> Iterator[Job]:
    for case, letters in drawn():
        yield Job(case.label, 8, on_one_core(lambda case=case, letters=letters: curve(
            case, letters, largest=1 << 14 if setup.quick else LARGEST, rounds=min(setup.rounds, 3))))

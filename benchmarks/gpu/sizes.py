"""Time against size, op by op, and where the GPU begins to win."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure.threads import limited
from ..ops.curves import LARGEST, curve, drawn
from .job import Job, Setup


def jobs(setup: Setup) -> Iterator[Job]:
    for case, letters in drawn():
        yield Job(case.label, 8, limited(1)(lambda case=case, letters=letters: [*curve(
            case, letters, largest=1 << 14 if setup.quick else LARGEST, rounds=min(setup.rounds, 3))]))

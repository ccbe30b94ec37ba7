"""One line of a result: what was timed, how long it took in each runtime, and the ratio of ours to theirs."""

from __future__ import annotations

from .timing import Timing

OURS = {"NumPy": "PyTorch", "CuPy": "PyTorch GPU", "minidiff": "tokenizers"}  # whom the names of peers begin with


def row(what: str, detail: str, times: dict[str, Timing], **more) -> dict:
    """A line as JSON has it. `more` is what else was measured, by name."""
    return {"what": what, "detail": detail, "times": {name: time.to_dict() for name, time in times.items()},
            "ratios": ratios(times)} | more


def ratios(times: dict[str, Timing]) -> dict[str, float]:
    """Our median divided by the smallest of theirs, on the same device; below 1 ours took less time in this run."""
    found = {}
    for ours, theirs in OURS.items():
        peers = [time.median for name, time in times.items()
                 if name.startswith(theirs) and ("GPU" in name) == ("GPU" in theirs)]
        if ours in times and peers:
            found[ours] = times[ours].median / min(peers)
    return found

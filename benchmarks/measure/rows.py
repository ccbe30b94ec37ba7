"""One row of a result: what was timed, how long it took in each runtime, and the ratio of our time to theirs."""

from __future__ import annotations

from .timing import Timing

RUNTIMES = {"cpu": ("NumPy", "PyTorch"), "cuda": ("CuPy", "PyTorch GPU")}  # device -> ours, how a peer's name begins
COMPARED = dict(RUNTIMES.values()) | {"CuPy captured": "PyTorch GPU", "minidiff": "tokenizers"}

OTHERS = ("OpenVINO",)  # which compute one shape of a finished network: not what is read, changed and trained


def row(what: str, detail: str, times: dict[str, Timing], **more) -> dict:
    """A row, ready for JSON. `more` is what else was measured, by name."""
    others = {f"to {name}": times["NumPy"].median / times[name].median for name in OTHERS if name in times}
    return {"what": what, "detail": detail, "times": {name: time.to_dict() for name, time in times.items()},
            "ratios": ratios(times)} | others | more


def left_out(what: str, detail: str, reason: str) -> dict:
    """The row of what was not measured, and why."""
    return row(what, detail, {}) | {"left out": reason}


def ratios(times: dict[str, Timing]) -> dict[str, float]:
    """Our median divided by the smallest of theirs on the same device: below 1, ours took less time in this run."""
    found = {}
    for ours, theirs in COMPARED.items():
        peers = [time.median for name, time in times.items()
                 if name.startswith(theirs) and ("GPU" in name) == ("GPU" in theirs)]
        if ours in times and peers:
            found[ours] = times[ours].median / min(peers)
    return found

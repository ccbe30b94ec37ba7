"""A step with and without what it is recorded on: CUDA graphs on a GPU, a tape on a CPU."""

from __future__ import annotations

from collections.abc import Callable

from minidiff.backend.graph import without_graphs

CAPTURED = " captured"  # behind the name of a runtime


def graphs_missing(device: str) -> str | None:
    """Why nothing is captured, in a few words; None if it is."""
    return "NumPy has no CUDA graphs" if device == "cpu" else None


def eager(run: Callable) -> Callable:
    """The same call, neither captured nor on a tape."""
    return without_graphs()(run)

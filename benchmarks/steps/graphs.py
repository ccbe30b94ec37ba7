"""A step with and without CUDA graphs, where there are any."""

from __future__ import annotations

from collections.abc import Callable

from minidiff.backend.graph import without_graphs

CAPTURED = " captured"  # behind the name of a runtime


def graphs_missing(device: str) -> str | None:
    """Why nothing is captured, in a few words; None if it is."""
    return "NumPy has no graphs: each call runs as it is" if device == "cpu" else None


def eager(run: Callable) -> Callable:
    """The same call, kernel by kernel."""
    return without_graphs()(run)

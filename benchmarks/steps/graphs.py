"""A step with and without CUDA graphs, where there are any."""

from __future__ import annotations

from collections.abc import Callable

from ..measure.packages import installed

CAPTURED = " captured"  # behind the name of a runtime


def graphs_missing(device: str) -> str | None:
    """Why nothing is captured, in a few words; None if it is."""
    if device == "cpu":
        return "NumPy has no graphs: each call runs as it is"
    return None if installed("minidiff.backend.graph") else "this version records no graphs"


def eager(run: Callable) -> Callable:
    """The same call, kernel by kernel."""
    if not installed("minidiff.backend.graph"):
        return run
    from minidiff.backend.graph import without_graphs

    return without_graphs()(run)

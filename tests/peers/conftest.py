"""Skips everything here without the `peers` extra; with it, ends with a table of the largest differences."""

from __future__ import annotations

import warnings
from collections import defaultdict

import numpy as np
import pytest
from relative import relative


def pytest_collect_file():
    """Called for the first file of the folder: here a skip is one for all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the peers say of each other while they are imported
        for name in ("torch", "diffusers", "transformers"):
            pytest.importorskip(name, reason=f"needs {name}: pip install minidiff[peers]")


@pytest.fixture(autouse=True)
def peers_may_warn_and_draw_the_same_weights():
    import torch

    torch.manual_seed(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def agree(request):
    """agree(what, ours, theirs, tolerance): the norm-relative difference is at most the tolerance; it is recorded."""
    largest = defaultdict(float)

    def check(what, ours, theirs, tolerance, floor=0.0):
        difference, entry = relative(ours, theirs, floor), f"{what}, at most {tolerance:.0e}"
        largest[entry] = max(largest[entry], difference)
        request.node.user_properties[:] = largest.items()
        assert difference <= tolerance, f"{what}: {difference:.1e}"

    return check


def pytest_terminal_summary(terminalreporter):
    largest = defaultdict(float)
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for what, difference in getattr(report, "user_properties", ()):
            largest[what] = max(largest[what], difference)
    if largest:
        terminalreporter.section("largest differences from the peers")
        for what, difference in sorted(largest.items()):
            terminalreporter.write_line(f"{difference:.1e}  {what}")

"""A tiny run that all these tests look at."""

from __future__ import annotations

import pytest
from tiny_training import SETTINGS

from minidiff.training.run import Run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny run, trained to its end without a stop."""
    run = Run(tmp_path_factory.mktemp("run") / "run", SETTINGS, threads=1)
    list(run.train())
    return run

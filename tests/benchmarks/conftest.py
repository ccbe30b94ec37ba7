"""The benchmarks run without their peers, at tiny sizes. What they measure here means nothing."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))


def pytest_collect_file():
    """Called for the first file of the folder: here a skip is one for all of them."""
    if not (ROOT / "benchmarks" / "command.py").is_file():
        pytest.skip("the benchmarks are part of the source tree, not of the installed package", allow_module_level=True)


@pytest.fixture(autouse=True)
def without_peers(monkeypatch):
    from benchmarks.measure import packages

    def find(name):
        return None if name in ("torch", "diffusers", "transformers", "tokenizers") else find_spec(name)

    monkeypatch.setattr(packages, "find_spec", find)


@pytest.fixture
def ceilings():
    from benchmarks.measure.ceilings import Ceilings

    return {"cpu": Ceilings(100.0, ((1 << 16, 50.0), (1 << 24, 20.0)))}

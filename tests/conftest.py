"""How all tests run: overflow, invalid values and division by zero raise, and every run draws the same examples."""

from __future__ import annotations

import signal

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("minidiff", deadline=None, max_examples=10, derandomize=True, database=None)
hypothesis.settings.load_profile("minidiff")


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=4, help="how often tests/training/test_kills.py kills a run")


@pytest.fixture(autouse=True, scope="session")
def floating_point_errors_raise():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.fixture
def ctrl_c_works():
    """Python's own handler of SIGINT: a process that a shell starts with `&` or nohup inherits that it is ignored."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.fixture
def rng():
    """The same values in each test, whatever ran before."""
    return np.random.default_rng(0)

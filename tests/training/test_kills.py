"""Killed at any moment, in any stage, a run that is continued ends with the same files, bit for bit.

pytest tests/training/test_kills.py --kills 100 kills more often than by default.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from captioned_folder import captioned_folder
from killed_runs import KINDS, attempt, kill_until_it_ends, outcome

from minidiff.storage.pipeline_folder import load_clip, load_pipeline, save_pipeline


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, finished):
    folder = tmp_path_factory.mktemp("inputs")
    captioned_folder(folder / "images", 12)
    save_pipeline(load_pipeline(finished.model_folder), folder / "model", load_clip(finished.model_folder))
    return folder


@pytest.mark.skipif("sys.platform != 'linux'")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_again_and_again_ends_like_an_undisturbed_one(kind, tmp_path, inputs, request):
    rng, most = np.random.default_rng(KINDS.index(kind)), request.config.getoption("kills") // len(KINDS)
    begun = time.monotonic()
    code, uses = attempt(kind, tmp_path / "whole", inputs)
    usual = uses, time.monotonic() - begun
    assert code == 0
    expected = outcome(tmp_path / "whole")
    kills, ends = 0, 0
    while kills < most:
        folder = tmp_path / f"killed-{ends}"
        kills += kill_until_it_ends(kind, folder, inputs, rng, most - kills, usual)
        ends += 1
        assert outcome(folder) == expected
    print(f"{kind}: killed {kills} times, {ends} runs ended alike")

"""The benchmarks of training steps and forward passes compare the same networks. Times mean nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import steps


def test_every_stage_is_timed_beside_torch_with_the_same_gradients():
    rows = list(steps.measure(["smoke"], rounds=1, pause=0.0))
    assert {row["what"] for row in rows} == {
        "autoencoder step", "contrastive step", "diffusion step", "denoising forward"}
    assert all({"NumPy", "PyTorch"} <= row["times"].keys() for row in rows)

"""The benchmarks compare the same ops and the same networks. Times mean nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from op_cases import CASES

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.measure.ceilings import Ceilings
from benchmarks.ops import benchmark as ops
from benchmarks.ops.peers import OPS, F
from benchmarks.steps import benchmark as steps


@pytest.mark.parametrize("name", sorted({case.op.__name__ for case in CASES}))
def test_an_op_has_an_equivalent_in_torch(name):
    assert name in OPS or hasattr(F, name), f'add the line `"{name}": ...,` to OPS in benchmarks/ops/peers.py'


def test_every_op_is_timed_with_the_same_results_in_torch():
    rows = list(ops.measure(["tiny"], rounds=1, pause=0.0, least=0.0, ceilings={"cpu": Ceilings(1.0, ((1, 1.0),))}))
    assert {row["what"].split(",")[0] for row in rows} == {case.op.__name__ for case in CASES}
    assert all({"NumPy", "PyTorch"} <= row["times"].keys() for row in rows)


def test_every_stage_is_timed_with_the_same_gradients_in_torch():
    rows = list(steps.measure(["smoke"], rounds=1, pause=0.0))
    assert {row["what"] for row in rows} == {
        "autoencoder step", "contrastive step", "diffusion step", "denoising forward"}
    assert all({"NumPy", "PyTorch"} <= row["times"].keys() for row in rows)

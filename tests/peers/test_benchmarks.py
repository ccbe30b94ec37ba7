"""The benchmarks compare the same ops and the same networks. Times mean nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from op_cases import CASES
from relative import relative
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.gpu import benchmark as gpu
from benchmarks.measure.ceilings import Ceilings
from benchmarks.ops import benchmark as ops
from benchmarks.ops.peers import OPS, F
from benchmarks.steps import benchmark as steps
from benchmarks.steps.operations import operations_of
from benchmarks.steps.peers import LAYOUTS, TheirStep, twin
from benchmarks.steps.sizes import SMOKE
from benchmarks.steps.stages import diffusion


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


def test_operations_of_a_step_are_those_that_torch_counts():
    """But for gradients of the captions and of the noisy latents, which torch does not compute."""
    stage = diffusion(SMOKE)
    theirs = TheirStep(stage, LAYOUTS[""])
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        theirs.backward()
    assert 1 <= operations_of(stage) / counter.get_total_flops() < 1.01


def test_networks_compiled_by_openvino_have_the_same_results():
    pytest.importorskip("openvino")
    from benchmarks.steps.peers_compiled import by_openvino

    rng, unet = np.random.default_rng(0), diffusion(SMOKE).unet
    side, channels, width = unet.config.sample_size, unet.config.in_channels, unet.config.cross_attention_dim
    arrays = [rng.standard_normal((2, side, side, channels), np.float32), np.full(2, 500.0, np.float32),
              rng.standard_normal((2, 5, width), np.float32)]
    answer = by_openvino(twin(unet), arrays, threads=1)()
    assert relative(unet(*arrays)[0], answer.permute(0, 2, 3, 1).numpy()) < 1e-5


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_has_the_same_gradients_in_each_precision(precision):
    first, *_ = gpu.measure(["smoke"], match=f"steps, smoke: batch 4, {precision}", device="cpu", rounds=1, threads=1)
    assert {"NumPy", "PyTorch NHWC"} == first["times"].keys() and first["largest error"]["PyTorch NHWC"] < 0.2

"""Training with products of rounded factors: what it costs in precision on a GPU, and that a CPU refuses it.

Where a GPU is only emulated, its products round nothing. So the factors are rounded here as tensor cores do it, which
changes nothing where they are; the order of the sums inside a tensor core is not covered.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_training import SETTINGS, STAGE

from minidiff.backend import (
    cublas,
    current_precision,
    gpu_available,
    product_precision,
    to_device,
    to_host,
    without_graphs,
)
from minidiff.errors import UserError
from minidiff.ops import contrastive
from minidiff.training import loop
from minidiff.training.autoencoder import AutoencoderTraining
from minidiff.training.flat import Flat
from minidiff.training.run import Run
from minidiff.training.workers import Workers

needs_gpu = pytest.mark.skipif(not gpu_available(), reason="needs CuPy and an NVIDIA GPU")
DROPPED = {"float32": 0, "tf32": 13, "bf16": 16}              # of the 23 bits of a float32
LARGEST = {"float32": 1e-5, "tf32": 4e-3, "bf16": 3e-2}       # ‖difference‖ / ‖gradient‖ of a whole model


def rounded(x, bits):
    """float32 `x` rounded to the nearest number with that many bits less, ties to even."""
    whole = x.view("uint32")
    half = (whole >> bits & 1) + (1 << bits - 1) - 1
    return ((whole + half) >> bits << bits).astype("uint32").view("float32")


@pytest.fixture
def products_round(monkeypatch):
    product = cublas.matmul

    def of_rounded(a, b, out=None):
        bits = DROPPED[cublas._precision.get()] if a.dtype == b.dtype == "float32" else 0
        return product(*(rounded(x.copy(), bits) if bits else x for x in (a, b)), out)

    monkeypatch.setattr(cublas, "matmul", of_rounded)


def gradient(precision, device="cuda"):
    stage = AutoencoderTraining(replace(SETTINGS, precision=precision), device)
    flat = Flat(stage.model.parameters(), device)
    workers = Workers(stage, flat, 1)
    losses = stage.step(workers, 1.0, *stage.draw(0))
    workers.close()
    return to_host(flat.grad).astype("f8"), float(losses["loss"])


@needs_gpu
@pytest.mark.usefixtures("products_round")
def test_the_gradient_of_a_model_loses_as_much_as_its_factors():
    exact, exact_loss = gradient("float32", "cpu")
    errors = {}
    for precision, largest in LARGEST.items():
        found, loss = gradient(precision)
        errors[precision] = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        assert errors[precision] < largest and abs(loss - exact_loss) < largest * exact_loss
    assert errors["float32"] < errors["tf32"] / 10 < errors["bf16"] / 20


@needs_gpu
@pytest.mark.usefixtures("products_round")
def test_the_contrastive_loss_rounds_no_factors(rng):
    text, image = (to_device(rng.standard_normal((6, 8)).astype(np.float32), "cuda") for _ in range(2))
    scale = to_device(np.float32(np.log(100)), "cuda")
    with product_precision("bf16"):
        loss, backward = contrastive(text, image, scale)
        found = [loss, *backward(1.0)]
    loss, backward = contrastive(text, image, scale)
    for one, other in zip(found, [loss, *backward(1.0)], strict=True):
        np.testing.assert_array_equal(to_host(one), to_host(other))


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_cpu_refuses_rounded_factors_before_there_is_a_folder(precision, tmp_path):
    with pytest.raises(UserError, match=f"precision {precision} is that of products on a GPU: use float32 on a CPU"):
        Run(tmp_path / "run", replace(SETTINGS, precision=precision))
    assert not (tmp_path / "run").exists()


def test_a_step_rounds_factors_and_its_update_does_not(tmp_path, monkeypatch):
    stage, seen = AutoencoderTraining(replace(SETTINGS, precision="bf16")), []
    trainer = loop.Trainer(stage, replace(STAGE, optimizer="muon", steps=1), tmp_path, 1)
    for owner, name in ((stage, "learn"), (loop, "update_parameters")):
        function = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, name=name, function=function: (
            seen.append((name, current_precision())), function(*args))[1])
    with without_graphs():
        list(trainer.train())
    assert seen == [("learn", "bf16"), ("update_parameters", "float32")]

"""Growth: exponents of time and memory are compared with that of the operations, which are those of plain ops."""

from __future__ import annotations

import pytest

from benchmarks.measure.timing import Timing
from benchmarks.scaling import benchmark as scaling
from benchmarks.scaling.growth import GROWTH, stage_at
from benchmarks.steps.operations import operations_of
from benchmarks.steps.sizes import SMOKE
from benchmarks.steps.stages import diffusion
from minidiff.ops import fast


def test_an_exponent_is_the_slope_of_the_logarithms():
    assert scaling.exponent([1, 10, 100], [3.0, 3 * 10**0.5, 30.0]) == pytest.approx(0.5, rel=1e-9, abs=0)


def test_what_grows_faster_than_the_operations_is_named():
    points = [{"operations": {"counted": factor**1.5}, "time": {"NumPy": factor**1.55, "PyTorch": factor**1.7},
               "MB": {"NumPy": factor**1.2, "PyTorch": factor**0.8}} for factor in (1, 2, 4)]
    assert scaling.grown("batch", [1, 2, 4], points)["grows too fast"] == ["time of PyTorch", "MB of NumPy"]
    assert scaling.grown("batch", [1], points[:1]) == {}


@pytest.mark.parametrize(("name", "low", "high"), [
    ("batch", 1, 1), ("channels", 1.6, 2), ("pixels", 0.9, 1.2), ("tokens", 0.01, 0.5), ("images", 0, 0)])
def test_operations_grow_as_they_must(name, low, high):
    factors = GROWTH[name].factors[-2:]
    found = scaling.exponent(factors, [operations_of(stage_at("smoke", name, factor)) for factor in factors])
    assert low - 1e-9 <= found <= high + 1e-9


def test_operations_are_those_of_the_plain_ops_whatever_kernels_run():
    """A first convolution of 3 x 3 and all others: Winograd's would take a quarter."""
    stage = diffusion(SMOKE)
    counted = operations_of(stage)
    with fast():
        assert operations_of(stage) == counted
    side, widths = SMOKE.size // 2, SMOKE.unet.block_out_channels
    convolution = 3 * 2 * 9 * side**2 * SMOKE.train_diffusion.batch_size * widths[0] ** 2
    assert counted > 6 * convolution  # of as many in the first level alone


def test_a_point_has_time_memory_and_exponents(monkeypatch):
    monkeypatch.setattr(scaling, "measure_step", lambda stage, *_: {"NumPy": Timing((1e-9 * operations_of(stage),))})
    monkeypatch.setattr(scaling.process, "run", lambda module, runtime, size, name, factor, threads: {
        "peak MB": 100 * factor**3})
    found = list(scaling.measure(["smoke"], match="batch", threads=1))
    assert len(found) == 4 and "exponent" not in found[0]
    assert found[-1]["exponent"]["time"]["NumPy"] == pytest.approx(1, rel=1e-9, abs=0)
    assert found[-1]["grows too fast"] == ["MB of NumPy"]

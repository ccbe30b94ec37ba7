"""The benchmarks run: ops and tokenizer at tiny sizes, without PyTorch. What they measure here means nothing."""

from __future__ import annotations

import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import minidiff.ops

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks" / "ops.py").is_file():
    pytest.skip("the benchmarks are part of the source tree, not of the installed package", allow_module_level=True)
sys.path.append(str(ROOT))

from op_cases import CASES  # noqa: E402

from benchmarks import (  # noqa: E402
    checks,
    command,
    op_costs,
    op_runs,
    op_sizes,
    ops,
    plots,
    quality,
    rows,
    scaling,
    stages,
    step_sizes,
    steps,
    threads,
    timing,
    tokenizer,
)
from benchmarks.ceilings import Ceilings, measure_ceilings  # noqa: E402

CEILINGS = Ceilings(100.0, ((1 << 16, 50.0), (1 << 24, 20.0)))
MACHINE = {"cpu": "a CPU", "cores": 2, "blas core type": "some", "native": True, "precision": "float32",
           "versions": {}, "date": "today", "commit": None}
ONCE = {"rounds": 1, "pause": 0.0}


@pytest.fixture(autouse=True)
def without_peers(monkeypatch):
    def find(name):
        return None if name in ("torch", "diffusers", "transformers", "tokenizers") else find_spec(name)

    for module in (op_runs, steps, tokenizer, threads):
        monkeypatch.setattr(module, "find_spec", find)


def test_every_op_of_the_case_table_is_timed_forward_and_backward():
    found = list(ops.measure(["tiny"], least=0.0, ceilings={"cpu": CEILINGS}, **ONCE))
    timed = {tuple(row["what"].rpartition(", ")[::2]) for row in found}
    assert {name.split(",")[0] for name, _ in timed} == {case.op.__name__ for case in CASES}
    assert {(name, direction) for name, _ in timed for direction in ("forward", "backward")} == timed
    assert all(row["times"]["NumPy"]["median"] > 0 and row["bytes"] > 0 for row in found)


@pytest.mark.parametrize("size", op_sizes.SIZES)
def test_every_letter_has_a_size(size):
    for case, letters in op_sizes.cases(size):
        assert all(letters.values()), (case, letters)
        assert letters.get("C", 0) % max(case.options.get("groups", 1), case.options.get("heads", 1)) == 0, case


@pytest.mark.parametrize("size", step_sizes.SIZES)
def test_every_stage_of_a_size_can_be_built(size):
    names = [stage.name for stage in stages.stages(step_sizes.SIZES[size], "cpu")]
    assert names == ["autoencoder", "contrastive", "diffusion"]


def test_a_linear_layer_counts_two_operations_a_weight_and_row():
    forward, backward = list(ops.measure(["tiny"], match="linear, no bias", least=0.0, ceilings={"cpu": CEILINGS},
                                         **ONCE))
    assert forward["operations"] == 2 * (2 * 6) * 8 * 12
    assert backward["operations"] == 2 * forward["operations"]
    assert forward["bytes"] == 4 * ((2 * 6) * 8 + 8 * 12 + (2 * 6) * 12)


def test_wrong_results_are_not_timed():
    x = np.ones(10)
    assert checks.check("right", x, x, 1e-4) == 0
    with pytest.raises(checks.Different, match=r"wrong: results differ by 1\.0e-02"):
        checks.check("wrong", 1.01 * x, x, 1e-4)
    with pytest.raises(checks.Different):
        checks.check("no number", x * np.nan, x, 1e-4)


def test_the_tokenizer_is_timed():
    training, encoding, fresh = tokenizer.measure(["tiny"], **ONCE)
    assert [list(row["times"]) for row in (training, encoding, fresh)] == [["minidiff"]] * 3
    assert encoding["tokens"] > 50 * 3


def test_a_training_is_scored_until_its_end():
    small = ["size=16", "autoencoder.block_out_channels=8,8", "text.hidden_size=16", "text.num_hidden_layers=1",
             "image.hidden_size=16", "image.num_hidden_layers=1", "unet.block_out_channels=16,16",
             "unet.attention_levels=false,true", "unet.norm_num_groups=8", "diffusion.latents=32",
             *(f"train_{stage}.{name}" for stage in ("autoencoder", "contrastive", "diffusion")
               for name in ("warmup=5", "batch_size=2"))]
    begin = time.monotonic()
    found = list(quality.measure(["tiny"], minutes=0.1, every=0.005, count=2, threads=1, settings=small))
    passed = (time.monotonic() - begin) / 60
    minutes = [row["minutes"] for row in found]
    assert len(found) > 1 and minutes == sorted(minutes) and minutes[-1] < passed
    assert all(row[split] in (0, 0.5, 1) for row in found for split in ("seen", "held_out"))


def test_the_growth_of_a_step_is_fitted_to_its_operations():
    found = list(scaling.measure(["smoke"], match="batch", rounds=3, pause=0.0, threads=1))
    growth = np.divide([row["operations"] for row in found[1:]], [row["operations"] for row in found[:-1]])
    assert all(1.6 < factor <= 2 for factor in growth)  # a larger batch has maps for Winograd's form
    assert "exponent" not in found[0] and all(0 < row["exponent"]["NumPy"] < 2 for row in found[2:])
    points = [(10.0, {"NumPy": 3.0}), (1000.0, {"NumPy": 30.0})]
    assert scaling.exponents(points) == {"NumPy": pytest.approx(0.5, rel=1e-9, abs=0)}


def test_every_product_of_an_op_is_counted():
    with op_costs.counted() as operations:
        minidiff.ops.linear(np.ones((6, 8)), np.ones((12, 8)))[1](np.ones((6, 12)))
    assert operations == [2 * 6 * 8 * 12] * 3
    minidiff.ops.linear(np.ones((6, 8)), np.ones((12, 8)))
    assert len(operations) == 3


def test_memory_of_a_training_step_is_that_of_its_process():
    [step] = steps.measure(["smoke"], match="autoencoder", rounds=1, pause=0.0, busy=1)
    assert 0 < step["MB"]["NumPy"] < 200


def test_every_runtime_has_its_turn_in_every_round():
    calls = []
    times = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, pause=0.0)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert [len(time.seconds) for time in times.values()] == [3, 3]


def test_a_ratio_is_to_the_best_peer_on_the_same_device():
    times = {name: timing.Timing((seconds, seconds, 9 * seconds)) for name, seconds in
             {"NumPy": 3.0, "PyTorch": 6.0, "PyTorch NHWC": 4.0, "CuPy": 1.0, "PyTorch GPU": 2.0}.items()}
    assert rows.ratios(times) == {"NumPy": 0.75, "CuPy": 0.5}
    assert rows.ratios({"NumPy": timing.Timing((1.0,))}) == {}


def test_ceilings_are_those_of_as_many_bytes():
    assert CEILINGS.copy(1000) == 50.0
    assert CEILINGS.copy(1 << 28) == 20.0
    np.testing.assert_allclose(CEILINGS.seconds(1e11, 1000), 1.0, rtol=1e-12, atol=0)
    np.testing.assert_allclose(CEILINGS.seconds(0, 2e10), 1.0, rtol=1e-12, atol=0)
    measured = measure_ceilings(side=64, largest=1 << 16, rounds=1)
    assert measured.gemm > 0 and [size for size, _ in measured.copies] == [1 << 15]


def test_the_command_writes_results_with_the_machine_in_their_header(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "measured_ceilings", lambda threads: {"cpu": CEILINGS})
    assert command.main(["ops", "--sizes", "tiny", "--match", "linear", "--rounds", "1", "--pause", "0",
                         "--out", str(tmp_path)]) == 0
    [file] = tmp_path.glob("*/ops.json")
    results = json.loads(file.read_text("utf-8"))
    assert {"cpu", "blas", "blas core type", "native", "versions", "date", "commit"} <= results["machine"].keys()
    assert len(results["rows"]) == 4
    screen = capsys.readouterr().out
    assert results["machine"]["cpu"] in screen and "linear, no bias, backward" in screen


def test_plots_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    found = list(ops.measure(["tiny"], match="linear", least=0.0, ceilings={"cpu": CEILINGS}, **ONCE))
    for row in found:
        row["ratios"] = {"NumPy": 0.5}
    files = plots.draw({"rows": found, "machine": MACHINE, "ceilings": {"cpu": CEILINGS.to_dict()}}, tmp_path, "ops")
    assert [file.name for file in files] == ["ops-ratios-numpy.svg", "ops-roofline.svg"]
    assert all(file.read_text("utf-8").startswith("<?xml") for file in files)


def test_scores_are_drawn_over_time(tmp_path):
    pytest.importorskip("matplotlib")
    found = [rows.row("prompts drawn right", "tiny", {}, minutes=minutes, seen=0.5, held_out=0.25)
             for minutes in (1.0, 2.0)]
    [file] = plots.draw({"rows": found, "machine": MACHINE}, tmp_path, "quality")
    assert file.name == "quality.svg" and file.read_text("utf-8").startswith("<?xml")

"""All that is measured of a GPU, tried at tiny sizes on NumPy: every part has its rows, a budget leaves some out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import command
from benchmarks.gpu import benchmark as gpu
from benchmarks.gpu import restart, waterfall
from benchmarks.gpu.job import Job, attempted
from benchmarks.measure import plots
from benchmarks.measure.file import kept
from benchmarks.ops import curves
from benchmarks.ops.verdict import verdict
from minidiff import ops
from minidiff.errors import UserError

TINY = {"sizes": ["smoke"], "device": "cpu", "rounds": 1, "threads": 1}


@pytest.mark.parametrize(("part", "count"), [
    ("ceilings", 6), ("host", 7), ("waterfall", 11), ("steps, smoke: batch 4, tf32", 6), ("cold", 2), ("ops, silu", 4),
    ("sizes, silu", 5)])
def test_every_part_has_rows_that_say_to_what_they_belong(part, count):
    found = list(gpu.measure(match=part, **TINY))
    assert len(found) >= count and {row["part"] for row in found} <= gpu.PARTS.keys()
    assert all(row["times"] or "left out" in row or "seconds" in row or "GB/s" in row or row["detail"] == "crossing"
               for row in found)
    assert not [row for row in found if "Error" in row.get("left out", "")]


def test_jobs_of_a_part_have_names_of_their_own():
    for part, jobs in gpu.PARTS.items():
        names = [job.what for job in jobs(gpu.Setup())]
        assert names and len({*names}) == len(names), part


def test_what_no_longer_fits_is_left_out_with_a_word():
    [row] = attempted(Job("slow", 100.0, lambda: pytest.fail("it does not fit")), time.monotonic() + 10)
    assert row["left out"] == "needs 100 s, and 10 s are left" and row["times"] == {}


def test_a_job_that_fails_does_not_cost_the_others():
    def rows():
        yield {"what": "first"}
        raise RuntimeError("no memory")

    first, second = attempted(Job("broken", 0.0, rows), time.monotonic() + 10)
    assert first == {"what": "first"} and second["left out"] == "RuntimeError: no memory"


def test_a_gpu_is_asked_for_where_there_is_none(monkeypatch):
    monkeypatch.setattr("minidiff.backend.devices.gpu_available", lambda: False)
    with pytest.raises(UserError, match="no GPU found"):
        next(gpu.measure())


def test_the_command_writes_all_parts_into_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PARTS", {name: gpu.PARTS[name] for name in ("ceilings", "host")})
    monkeypatch.setenv(restart.NOTE, str(tmp_path / "job"))  # as in the process that measures
    assert command.main(["gpu", "--device", "cpu", "--sizes", "smoke", "--rounds", "1", "--out", str(tmp_path)]) == 0
    [file] = tmp_path.glob("*/gpu.json")
    assert [*dict.fromkeys(row["part"] for row in json.loads(file.read_text("utf-8"))["rows"])] == ["ceilings", "host"]


def test_what_comes_after_a_job_is_measured_and_the_rows_before_it_stay(tmp_path, monkeypatch):
    def jobs(part):
        return lambda setup: [Job(f"{part}{i}", 0.0, lambda i=i: [{"what": f"{part}{i}", "times": {}, "ratios": {}}])
                              for i in (1, 2)]

    monkeypatch.setattr(gpu, "PARTS", {part: jobs(part) for part in "abc"})
    assert [row["what"] for row in gpu.measure(after="b, b1", **TINY)] == ["b2", "c1", "c2"]
    assert [row["what"] for row in gpu.measure(match="2", after="a, a2", **TINY)] == ["b2", "c2"]


@pytest.mark.parametrize(("ends", "code", "after"), [
    ([("", 2)], 2, [None]), ([("a, 1", 0)], 0, [None]),
    ([("a, 1", 3), ("b, 2", -6), ("b, 3", 0)], 0, [None, "a, 1", "b, 2"]),
    ([("a, 1", 1), ("a, 1", 1)], 1, [None, "a, 1"])])
def test_a_process_that_ends_is_followed_by_another_unless_it_cannot_get_on(monkeypatch, ends, code, after):
    calls = []

    def run(words, env, check):
        job, returned = ends[len(calls)]
        calls.append(words)
        Path(env[restart.NOTE]).write_text(job, "utf-8")
        return SimpleNamespace(returncode=returned)

    monkeypatch.setattr(restart.subprocess, "run", run)
    assert restart.in_processes(["gpu", "--rounds", "1"], 3.0) == code
    assert [words[words.index("--after") + 1] if "--after" in words else None for words in calls] == after
    assert all(words[3:6] == ["gpu", "--rounds", "1"] and 2.9 < float(words[-1]) <= 3.0 for words in calls)


def test_a_gpu_that_no_longer_answers_ends_the_process_that_measures(monkeypatch):
    ended = []
    monkeypatch.setattr(restart, "wait", lambda: 1 / 0)
    monkeypatch.setattr(restart.os, "_exit", ended.append)
    restart.finish()
    assert not ended
    monkeypatch.setenv(restart.NOTE, "job")
    restart.finish()
    assert ended == [3]


def test_plots_that_cannot_be_drawn_cost_no_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plots, "draw", lambda *_: 1 / 0)
    results = {"machine": {"date": "", "commit": ""}, "options": {}}
    rows = [{"what": "a", "part": "one"}, {"what": "b", "part": "two"}]
    assert list(kept(rows, results, tmp_path / "gpu.json")) == rows
    assert "no plots: ZeroDivisionError" in capsys.readouterr().err


def test_kernels_are_switched_on_by_their_files():
    before = [*ops.silu.kernels["cpu"]]
    with waterfall.only("cpu", ["group_norm"]):
        assert ops.silu.kernels["cpu"] == [] and len(ops.group_norm.kernels["cpu"]) == 1
    assert ops.silu.kernels["cpu"] == before and before


def row_of(elements, **times):
    return {"what": "op, forward", "detail": "", "elements": elements, "ratios": {},
            "times": {name.replace("_", " "): {"median": seconds} for name, seconds in times.items()}}


def test_a_crossing_is_where_the_gpu_wins_for_good():
    rows = [row_of(10.0**power, NumPy=10.0**power, CuPy=1e4) for power in range(1, 8)]
    assert curves.crossing(rows, "NumPy", ("CuPy",)) == pytest.approx(1e4, rel=1e-6, abs=0)
    assert curves.crossing(rows[:3], "NumPy", ("CuPy",)) is None
    assert curves.crossing(rows[4:], "NumPy", ("CuPy",)) == 1e5
    assert curves.crossing(rows, "NumPy", ("other",)) is None


def test_a_curve_grows_fourfold_until_its_largest_size(monkeypatch):
    monkeypatch.setattr("benchmarks.ops.curves.gpu_available", lambda: False)
    monkeypatch.setattr("benchmarks.ops.runs.gpu_available", lambda: False)
    [(case, letters)] = curves.drawn("softmax")
    *points, last = curves.curve(case, letters, largest=1 << 12, rounds=1, least=0.0)
    assert [row["elements"] for row in points] == [64, 256, 1024, 4096]
    assert last["left out"] == "no GPU found" and "x plain" in last["verdict"]


@pytest.mark.parametrize(("direction", "up", "down"), [("forward", 1, 1), ("backward", 2, 1)])
def test_what_is_computed_on_the_gpu_is_not_brought_there(direction, up, down, monkeypatch):
    moves = []
    for name in ("to_device", "to_host"):
        monkeypatch.setattr(curves, name, lambda array, device=None, name=name: (moves.append(name), array)[1])
    monkeypatch.setattr(curves, "gpu_available", lambda: True)
    [(case, letters)] = curves.drawn("silu")
    next(curves.curve(case, letters, direction, largest=64, rounds=1, least=0.0))
    assert moves[0] == "to_device"  # the result, once
    assert moves[1:] == 2 * [*["to_device"] * up, *["to_host"] * down]  # of a first call, and of one that is timed


def test_a_verdict_says_what_is_faster_and_what_limits_it():
    row = row_of(1, NumPy_plain=8.0, NumPy=4.0, CuPy_plain=2.0, CuPy=1.0, PyTorch_GPU=2.0) | {
        "ratios": {"CuPy": 0.5}, "fraction of ceiling": {"CuPy": 0.9, "NumPy": 0.25}}
    assert verdict(row) == ("NumPy: 2.0 x plain, 25% of the ceiling; "
                            "CuPy: 2.0 x plain, 2.00 x PyTorch GPU, at the ceiling; the GPU is 4.0 x as fast")
    assert "launches decide" in verdict(row, floor=0.9)

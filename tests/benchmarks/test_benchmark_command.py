"""The command line writes results and plots."""

from __future__ import annotations

import json

import pytest

from benchmarks import command
from benchmarks.measure import plots, rows
from benchmarks.measure.file import kept
from benchmarks.ops import benchmark as ops

MACHINE = {"cpu": "a CPU", "cores": 2, "blas core type": "some", "native": True, "precision": "float32",
           "versions": {}, "date": "today", "commit": None}


def test_the_command_writes_results_with_the_machine_in_their_header(tmp_path, capsys, monkeypatch, ceilings):
    monkeypatch.setattr(command, "measured_ceilings", lambda threads: ceilings)
    assert command.main(["ops", "--sizes", "tiny", "--match", "linear", "--rounds", "1", "--pause", "0",
                         "--out", str(tmp_path)]) == 0
    [file] = tmp_path.glob("*/ops.json")
    results = json.loads(file.read_text("utf-8"))
    assert {"cpu", "blas", "blas core type", "native", "versions", "date", "commit"} <= results["machine"].keys()
    assert results["options"] == {"sizes": ["tiny"], "match": "linear", "rounds": 1, "pause": 0.0}
    assert len(results["rows"]) == 4
    screen = capsys.readouterr().out
    assert results["machine"]["cpu"] in screen and "linear, no bias, backward" in screen


def test_a_run_that_is_stopped_keeps_its_rows(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "draw", lambda results, folder, name: drawn.append(len(results["rows"])))
    found = [rows.row(name, "", {}, part=part) for name, part in (("a", 1), ("b", 1), ("c", 2))]
    stopped = kept(found, {"machine": MACHINE}, tmp_path / "new" / "some.json")
    for count, row in enumerate(stopped, 1):
        kept_rows = json.loads((tmp_path / "new" / "some.json").read_text("utf-8"))["rows"]
        assert len(kept_rows) == count and kept_rows[-1]["what"] == row["what"]
    assert drawn == [2] and [file.name for file in (tmp_path / "new").iterdir()] == ["some.json"]


def test_plots_are_written(tmp_path, ceilings):
    pytest.importorskip("matplotlib")
    found = list(ops.measure(["tiny"], match="linear", rounds=1, pause=0.0, least=0.0, ceilings=ceilings))
    for row in found:
        row["ratios"] = {"NumPy": 0.5}
    results = {"rows": found, "machine": MACHINE, "ceilings": {"cpu": ceilings["cpu"].to_dict()}}
    files = plots.draw(results, tmp_path, "ops")
    assert [file.name for file in files] == ["ops-ratios-numpy.svg", "ops-roofline.svg"]
    assert all(file.read_text("utf-8").startswith("<?xml") for file in files)


def test_scores_are_drawn_over_time(tmp_path):
    pytest.importorskip("matplotlib")
    found = [rows.row("prompts drawn right", "tiny", {}, minutes=minutes, seen=0.5, held_out=0.25)
             for minutes in (1.0, 2.0)]
    [file] = plots.draw({"rows": found, "machine": MACHINE}, tmp_path, "quality")
    assert file.name == "quality.svg" and file.read_text("utf-8").startswith("<?xml")

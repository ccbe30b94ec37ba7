"""The command line writes results and plots."""

from __future__ import annotations

import json

import pytest

from benchmarks import command
from benchmarks.measure import plots, rows
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

"""The command line writes results and plots."""

from __future__ import annotations

import json

import pytest

from benchmarks import command
from benchmarks.measure import plots, rows
from benchmarks.measure.file import kept, rows_of
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
    assert results["options"] == {"sizes": ["tiny"], "match": "linear", "rounds": 1, "pause": 0.0, "threads": 1,
                                  "least": 0.02}
    assert len(results["rows"]) == 4 and all(row["threads"] == 1 and "commit" in row for row in results["rows"])
    screen = capsys.readouterr().out
    assert results["machine"]["cpu"] in screen and "linear, no bias, backward" in screen


def test_a_run_that_is_stopped_keeps_its_rows(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "draw", lambda results, folder, name: drawn.append(len(results["rows"])))
    found = [rows.row(name, "", {}, part=part) for name, part in (("a", 1), ("b", 1), ("c", 2))]
    stopped = kept(found, {"machine": MACHINE, "options": {}}, tmp_path / "some.json")
    for count, row in enumerate(stopped, 1):
        kept_rows = json.loads((tmp_path / "some.json").read_text("utf-8"))["rows"]
        assert len(kept_rows) == count and kept_rows[-1]["what"] == row["what"]
    assert drawn == [2] and [file.name for file in tmp_path.iterdir()] == ["some.json"]


def test_rows_of_other_names_stay_with_the_facts_of_their_run(tmp_path):
    file = tmp_path / "some.json"

    def run(date, *names):
        results = {"machine": MACHINE | {"date": date}, "options": {"threads": 2}}
        return list(kept([rows.row(name, "", {}) for name in names], results, file, rows_of(file)))

    run("Monday", "a", "b")
    assert run("Tuesday") == [] and len(rows_of(file)) == 2
    run("Wednesday", "b", "c")
    assert [(row["what"], row["date"]) for row in rows_of(file)] == [
        ("a", "Monday"), ("b", "Wednesday"), ("c", "Wednesday")]


@pytest.mark.parametrize(("words", "message"), [
    (["ops", "--match", "no such op"], "ops has no row whose name contains 'no such op'"),
    (["tokenizer", "--match", "x"], "tokenizer has no option --match"),
    (["ops", "--device", "cuda"], "ops has no option --device"),
    (["sd15", "--sizes", "small", "full"], "sd15 has no size small: use some of full, tiny"),
    (["all", "--sizes", "small"], "generate has no option --sizes"),
    (["quality", "--settings", "foo"], "'foo' is not NAME=VALUE"),
    (["steps", "--device", "cuda"], "no GPU found"),
    (["gpu"], "no GPU found"),
])
def test_what_cannot_be_measured_is_said_in_a_line_and_costs_no_results(words, message, tmp_path, capsys, monkeypatch,
                                                                        ceilings):
    monkeypatch.setattr(command, "measured_ceilings", lambda threads: ceilings)
    monkeypatch.setattr("minidiff.backend.devices.gpu_available", lambda: False)
    assert command.main([*words, "--out", str(tmp_path)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1] and len([line for line in errors if "warning" not in line]) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--threads", "0"], ["--pause", "-1"]])
def test_a_count_is_positive(words):
    with pytest.raises(SystemExit):
        command.main(["ops", *words])


def test_results_need_a_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command.main(["tokenizer", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


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

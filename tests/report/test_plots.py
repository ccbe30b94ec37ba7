from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minidiff.errors import UserError
from minidiff.report import plots
from minidiff.report.plots import loss_curves, panel_groups, plot_losses, plot_scores, read_metrics

RECORDS = [{"stage": stage, "step": step, "total": 60, "learning_rate": 1e-3, "gradient_norm": 0.5,
            "samples_per_second": 80.0, "time": 1e9 + step, "loss": 3.0 / step, **more}
           for stage, more in [("autoencoder", {"mse": 0.1}), ("diffusion", {})] for step in (20, 40, 60)]
SCORES = {"seen": 0.91, "held_out": 0.66, "judge": {"truth": 1.0, "reconstruction": 0.96},
          "by_kind": {"seen": {"one": 0.95, "two": 0.9}, "held_out": {"one": 0.7}},
          "by_attribute": {"seen": {"count": 1.0, "colour": 0.9}, "held_out": {"count": 0.9, "colour": 0.5}}}
HELD_OUT = [one | {"held_out": 0.2, "held_out.0-0.5": 0.3, "held_out.0.5-2": 0.4} for one in RECORDS]
PLOTS = {"losses": lambda path: plot_losses(RECORDS, path),
         "held-out losses": lambda path: plot_losses(HELD_OUT, path),
         "scores": lambda path: plot_scores(SCORES, path)}

each_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)


@each_plot
def test_without_matplotlib_one_message_says_what_to_install(plot, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"pip install minidiff\[plots\]"):
        plot(tmp_path / "plot.png")
    assert list(tmp_path.iterdir()) == []


@each_plot
def test_a_plot_is_an_image_and_nothing_else_is_left(plot, tmp_path):
    pytest.importorskip("matplotlib")
    plot(tmp_path / "plot.png")
    assert np.ptp(np.asarray(Image.open(tmp_path / "plot.png").convert("L"))) > 100
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]


@pytest.fixture
def panels(monkeypatch):
    """The panels of each figure that is saved; no file is written."""
    pytest.importorskip("matplotlib")
    found = []
    monkeypatch.setattr(plots, "save", lambda figure, path: found.extend(figure.axes))
    return found


def test_losses_have_logarithmic_axes_and_those_held_out_are_dashed(panels):
    plot_losses(HELD_OUT, "plot.png")
    assert [(panel.get_xscale(), panel.get_yscale()) for panel in panels] == [("log", "log")] * 4
    assert {(line.get_label(), line.get_linestyle()) for panel in panels for line in panel.lines} == {
        ("loss", "-"), ("mse", "-"), ("held-out", "--"), ("0-0.5", "--"), ("0.5-2", "--")}


def test_bars_are_as_high_as_the_scores_of_their_split(panels):
    plot_scores(SCORES, "plot.png")
    for panel, key in zip(panels, ("by_kind", "by_attribute"), strict=True):
        assert panel.get_title() == key.replace("_", " ")
        for bars, split in zip(panel.containers, ("seen", "held_out"), strict=True):
            assert [bar.get_height() for bar in bars] == [*SCORES[key][split].values()]
            assert bars.get_label() == f"{split.replace('_', '-')}: {SCORES[split]:.3f}"


def test_a_plot_is_written_in_the_format_of_its_name(tmp_path):
    pytest.importorskip("matplotlib")
    plot_scores(SCORES, tmp_path / "plot.SVG")
    assert "<svg" in (tmp_path / "plot.SVG").read_text("utf-8")


def test_a_plot_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(UserError, match="png"):
        plot_losses(RECORDS, tmp_path / "plot.txt")
    with pytest.raises(UserError, match="cannot write"):
        (tmp_path / "file").write_text("")
        plot_losses(RECORDS, tmp_path / "file" / "plot.png")


def test_loss_curves_are_all_losses_by_stage_and_nothing_else():
    assert loss_curves(RECORDS) == {
        "autoencoder": {"loss": {20: 0.15, 40: 0.075, 60: 0.05}, "mse": {20: 0.1, 40: 0.1, 60: 0.1}},
        "diffusion": {"loss": {20: 0.15, 40: 0.075, 60: 0.05}}}


def test_bands_of_noise_have_a_panel_of_their_own():
    losses = {"loss": {1: 1.0}, "held_out": {1: 1.0}, "held_out.0-0.5": {1: 1.0}, "held_out.0.5-2": {1: 1.0}}
    own, bands = panel_groups("diffusion", losses)
    assert own == ("diffusion", {"loss": {1: 1.0}, "held_out": {1: 1.0}})
    assert [*bands[1]] == ["held_out.0-0.5", "held_out.0.5-2"]
    assert panel_groups("autoencoder", {"loss": {1: 1.0}}) == [("autoencoder", {"loss": {1: 1.0}})]


def test_the_second_time_counts_where_a_resumed_run_repeats_a_step():
    again = [*RECORDS, RECORDS[1] | {"loss": 7.0}]
    assert loss_curves(again)["autoencoder"]["loss"] == {20: 0.15, 40: 7.0, 60: 0.05}


def test_metrics_are_read_as_far_as_a_killed_run_wrote_them(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps(record) for record in RECORDS]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    assert read_metrics(path) == RECORDS
    path.write_text("\n".join([*lines[:2], lines[2][:30] + lines[3], *lines[4:], lines[0][:50]]), "utf-8")
    assert read_metrics(path) == RECORDS[:2] + RECORDS[4:]


@pytest.mark.parametrize("content", [None, "", "no json\n", "[1, 2]\n3\n", '{"loss": 1}\n', "[" * 100_000,
                                     '{"stage": [], "step": 1}', '{"stage": "a", "step": 1, "loss": "x"}'])
def test_a_file_without_metrics_is_an_error_that_names_it(tmp_path, content):
    path = Path(tmp_path / "metrics.jsonl")
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        read_metrics(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_metrics_in_a_pipe_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(UserError, match="not a regular file"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_a_run_without_losses_has_nothing_to_plot(tmp_path):
    with pytest.raises(UserError, match="no losses"):
        plot_losses([{"stage": "latents", "step": 1}], tmp_path / "plot.png")

"""Figures on disk are those that their scripts draw."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from run_python import run_python
from source_tree import ROOT

from minidiff.explain.figures import NAMES, drawn, write_figures
from minidiff.explain.figures import diffusion as diffusion_figure


@pytest.fixture
def quick(monkeypatch):
    """The networks of the figure of diffusion train for a moment only: what the figure shows of them is then wrong."""
    train = diffusion_figure.train
    monkeypatch.setattr(diffusion_figure, "train", lambda scheduler: train(scheduler, steps=20))


@pytest.mark.parametrize("name", NAMES)
def test_the_figure_on_disk_is_the_one_that_its_script_draws(name, quick):
    """Up to the last bit of edges, and to what a figure shows of networks trained for it."""
    with Image.open(ROOT / name / "figure.png") as image:
        expected = np.asarray(image.convert("RGB"), np.float64)
    found = np.asarray(drawn(name).convert("RGB"), np.float64)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < (10 if name == "diffusion" else 0.1)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_small(name):
    assert (ROOT / name / "figure.png").stat().st_size < 300_000


def test_figures_are_written_into_their_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("minidiff.explain.figures.drawn", lambda name: Image.new("RGB", (2, 2)))
    for name in NAMES:
        (tmp_path / name).mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in write_figures(tmp_path)] == [
        f"{name}/figure.png" for name in NAMES]


def test_the_command_says_what_it_draws():
    assert "figures" in run_python("-m", "minidiff.explain", "--help").stdout

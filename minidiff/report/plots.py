"""Plots of a training run and of scores, written to an image file (.png, .svg, .pdf).

matplotlib is imported only when a plot is made: everything else works without it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..fields import fits
from ..reading import read_text, reason
from ..training.loop import Progress
from ..writing import new_file

NOT_LOSSES = {field.name for field in fields(Progress)} | {"time"}
HELD_OUT_STYLE = {"linestyle": "--", "marker": "."}
COLOURS = ("#2d55cd", "#f58c1e", "#32a046", "#82419f")
LARGEST = 1_000_000_000  # bytes of a metrics.jsonl


def plot_losses(records: list[dict], path: str | Path) -> None:
    """Plot the losses of each stage over its steps, both axes logarithmic; `records` come from `read_metrics`.

    Held-out losses are dashed. Those of the bands of noise have a panel of their own, beside that of their stage.
    """
    curves = loss_curves(records)
    if not curves:
        raise UserError("these metrics contain no losses: train a little longer")
    groups = [group for stage, losses in curves.items() for group in panel_groups(stage, losses)]
    figure, panels = new_figure(len(groups))
    for panel, (title, losses) in zip(panels, groups, strict=True):
        for colour, (name, points) in zip(COLOURS * len(losses), losses.items(), strict=False):
            style = HELD_OUT_STYLE if name.startswith("held_out") else {}
            label = name.removeprefix("held_out.").replace("_", "-")
            panel.loglog(*zip(*sorted(points.items()), strict=True), color=colour, label=label, **style)
        panel.set(title=title, xlabel="step")
        panel.legend()
    save(figure, path)


def panel_groups(stage: str, losses: dict) -> list[tuple[str, dict]]:
    """The title and the losses of each panel of a stage."""
    bands = {name: points for name, points in losses.items() if name.startswith("held_out.")}
    rest = {name: points for name, points in losses.items() if name not in bands}
    return [(stage, rest), *([(f"{stage}: held-out error by σ/α", bands)] if bands else [])]


def loss_curves(records: list[dict]) -> dict[str, dict[str, dict[int, float]]]:
    """stage -> loss -> step -> value; where a resumed run repeated a step, its later value counts."""
    curves: dict = {}
    for record in records:
        for name, value in record.items():
            if name not in NOT_LOSSES:
                curves.setdefault(record["stage"], {}).setdefault(name, {})[record["step"]] = value
    return curves


def read_metrics(path: str | Path) -> list[dict]:
    """The records of a metrics.jsonl, skipping lines that a killed run left half-written.

    Raises UserError if there is none.
    """
    path, records = Path(path), []
    try:
        lines = read_text(path, LARGEST, "replace").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({reason(error)}): give the metrics.jsonl of a training run") from error
    for line in lines:
        with suppress(ValueError, RecursionError):
            records.append(json.loads(line))
    records = [record for record in records if _is_record(record)]
    if not records:
        raise UserError(f"{path} contains no metrics: give the metrics.jsonl of a training run")
    return records


def _is_record(record):
    """Whether it has the name of a stage and a step, and otherwise numbers."""
    return isinstance(record, dict) and {"stage", "step"} <= record.keys() and all(
        fits(value, str if name == "stage" else float) for name, value in record.items())


def plot_scores(scores: dict, path: str | Path) -> None:
    """Plot the scores of `evaluate` as bars: by kind of scene and by attribute, seen next to held-out compositions."""
    figure, panels = new_figure(2)
    for panel, key in zip(panels, ("by_kind", "by_attribute"), strict=True):
        names = list(scores[key]["seen"] | scores[key]["held_out"])
        for place, (split, colour) in enumerate(zip(("seen", "held_out"), COLOURS, strict=False)):
            heights = scores[key][split]
            bars = panel.bar([names.index(name) + 0.4 * place for name in heights], heights.values(), 0.38,
                             color=colour, label=f"{split.replace('_', '-')}: {scores[split]:.3f}")
            panel.bar_label(bars, [f"{100 * height:.0f}" for height in heights.values()], fontsize=7)
        panel.set(title=key.replace("_", " "), ylabel="drawn right", ylim=(0, 1.1))
        panel.set_xticks(np.arange(len(names)) + 0.2, names, fontsize=8)
        panel.axhline(scores["judge"]["reconstruction"], color="gray", linestyle=":", label="reconstructions")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, path)


def new_figure(count: int):
    """A figure and its panels, side by side. Raises UserError if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("plots need matplotlib: pip install minidiff[plots]") from error
    figure = Figure(figsize=(5 * count, 3.6), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def save(figure, path: str | Path) -> None:
    """Write a figure in the format of the name's extension. Raises UserError if the format or the path is invalid."""
    path = Path(path)
    format = path.suffix[1:].lower()
    if format not in figure.canvas.get_supported_filetypes():
        raise UserError(f"cannot write a plot as {path.name!r}: use a name that ends in .png, .svg or .pdf")
    with new_file(path) as temporary:
        figure.savefig(temporary, format=format, dpi=120)

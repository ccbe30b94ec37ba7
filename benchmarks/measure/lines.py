"""Plots of what grows: time against size, images a second against batch, time while kernels are switched on."""

from __future__ import annotations

import math
from pathlib import Path

from .figure import COLOURS, caption, new_figure

COLUMNS = 3  # of panels


def draw(results: dict, folder: Path, name: str) -> list[Path]:
    """The files written into `folder`, of the rows that there are."""
    rows, files = results["rows"], []
    for direction in ("forward", "backward"):
        curves = [row for row in rows if row["what"].endswith(f", {direction}") and (
            "elements" in row or row["detail"] == "crossing")]
        if curves:
            files.append(draw_curves(curves, results["machine"], folder / f"{name}-{direction}.svg"))
    if any("batch" in row for row in rows):
        files.append(draw_batches([row for row in rows if "batch" in row], results["machine"],
                                  folder / f"{name}-images.svg"))
    if any(row["what"] == "waterfall" for row in rows):
        files.append(draw_waterfall([row for row in rows if row["what"] == "waterfall" and row["times"]],
                                    results["machine"], folder / f"{name}-waterfall.svg"))
    return files


def draw_curves(rows, machine, path) -> Path:
    """A panel for each op: seconds over elements, and a line at the size from which the GPU takes less time."""
    names = list(dict.fromkeys(row["what"] for row in rows))
    figure = new_figure(1 + 2.4 * math.ceil(len(names) / COLUMNS))
    panels = figure.subplots(math.ceil(len(names) / COLUMNS), COLUMNS, squeeze=False).ravel()
    labelled = {}
    for panel in panels:
        panel.set_visible(False)
    for panel, name in zip(panels, names, strict=False):
        panel.set_visible(True)
        own = [row for row in rows if row["what"] == name]
        points = [row for row in own if "elements" in row]
        for runtime, colour in COLOURS.items():
            line = [(row["elements"], row["times"][runtime]["median"]) for row in points if runtime in row["times"]]
            if line:
                [labelled[runtime]] = panel.plot(*zip(*line, strict=True), ".-", color=colour, linewidth=1,
                                                 markersize=3)
        for row in own:
            if row.get("crossing", {}).get("elements"):
                panel.axvline(row["crossing"]["elements"], color="black", linewidth=0.6, linestyle=":")
        panel.set(xscale="log", yscale="log")
        panel.set_title(name.rpartition(",")[0], fontsize=8)
        panel.tick_params(labelsize=6)
    figure.legend(labelled.values(), labelled, loc="outside lower center", ncols=5, fontsize=7, title_fontsize=8,
                  title="seconds a call over elements of the largest array")
    figure.suptitle(caption(machine), fontsize=6)
    figure.savefig(path)
    return path


def draw_batches(rows, machine, path) -> Path:
    figure = new_figure(4)
    panel = figure.subplots()
    for runtime, colour in COLOURS.items():
        line = [(row["batch"], row["images a second"][runtime]) for row in rows if runtime in row["images a second"]]
        if line:
            panel.plot(*zip(*line, strict=True), "o-", color=colour, label=runtime)
    panel.set(xscale="log", yscale="log", xlabel="images at once", ylabel="images a second")
    panel.legend()
    panel.set_title(caption(machine), fontsize=6)
    figure.savefig(path)
    return path


def draw_waterfall(rows, machine, path) -> Path:
    """Milliseconds of each state, with the number of operations that it starts where it is known."""
    figure = new_figure(1.2 + 0.25 * len(rows))
    panel = figure.subplots()
    for place, row in enumerate(rows):
        [(runtime, time)] = row["times"].items()
        count = row["launches"][runtime]
        bar = panel.barh(place, 1e3 * time["median"], color=COLOURS[runtime])
        words = f"{1e3 * time['median']:.3g} ms" + (f", {count} operations" if count is not None else "")
        panel.bar_label(bar, [words], fontsize=6, padding=2)
    panel.set_yticks(range(len(rows)), [f"{next(iter(row['times']))}: {row['detail']}" for row in rows], fontsize=6)
    panel.set(ylim=(len(rows), -1), xlabel="milliseconds a step")
    panel.margins(x=0.2)
    panel.set_title(caption(machine), fontsize=6)
    figure.savefig(path)
    return path

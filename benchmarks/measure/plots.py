"""Plots of results: bars of ratios, a roofline of the ops, scores over time. Only where matplotlib is installed."""

from __future__ import annotations

import textwrap
from importlib.util import find_spec
from pathlib import Path

from . import lines
from .figure import COLOURS, caption, new_figure

MARKS = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5)]


def draw(results: dict, folder: Path, name: str) -> list[Path]:
    """The files written into `folder`."""
    if find_spec("matplotlib") is None:
        return []
    files = []
    for runtime in sorted({runtime for row in results["rows"] for runtime in row["ratios"]}):
        files.append(draw_ratios(results, runtime, folder / f"{name}-ratios-{runtime.lower().replace(' ', '-')}.svg"))
    if results.get("ceilings"):
        files.append(draw_roofline(results, folder / f"{name}-roofline.svg"))
    if any("minutes" in row for row in results["rows"]):
        files.append(draw_quality(results, folder / f"{name}.svg"))
    if any("seed" in row for row in results["rows"]):
        files.append(draw_leaderboard(results, folder / f"{name}.svg"))
    return files + lines.draw(results, folder, name)


def draw_ratios(results, runtime, path) -> Path:
    rows = [row for row in results["rows"] if runtime in row["ratios"]]
    figure = new_figure(1.5 + 0.22 * len(rows))
    panel = figure.subplots()
    ratios = [row["ratios"][runtime] for row in rows]
    panel.barh(range(len(rows)), [ratio - 1 for ratio in ratios], left=1,
               color=["#2d55cd" if ratio <= 1 else "#f58c1e" for ratio in ratios])
    panel.set_yticks(range(len(rows)), [f"{row['what']}  ({row['detail']})" for row in rows], fontsize=6)
    panel.set(xscale="log", ylim=(len(rows), -1), xlabel=f"time in {runtime} / shortest time of its peers")
    marks = [mark for mark in MARKS if min(*ratios, 1) / 2 < mark < max(*ratios, 1) * 2]
    panel.set_xticks(marks, [f"{mark:g}" for mark in marks])
    panel.minorticks_off()
    panel.axvline(1, color="black", linewidth=0.8)
    panel.set_title(caption(results["machine"]), fontsize=6)
    figure.savefig(path)
    return path


def draw_roofline(results, path) -> Path:
    """GFLOP/s over operations a byte, under what the machine can do (Williams et al. 2009)."""
    ceilings = results["ceilings"]["cpu"]
    rows = [row for row in results["rows"] if row.get("operations")]
    figure = new_figure(6)
    panel = figure.subplots()
    for runtime in ("NumPy plain", "NumPy", "PyTorch", "PyTorch NHWC"):
        points = [(row["operations"] / row["bytes"], row["GFLOP/s"][runtime]) for row in rows
                  if runtime in row["GFLOP/s"]]
        if points:
            panel.plot(*zip(*points, strict=True), ".", color=COLOURS[runtime], label=runtime)
    intensities = [2.0**power for power in range(-2, 13)]
    copies = ceilings["copy GB/s"].values()
    for label, copy in (("from a cache", max(copies)), ("from memory", min(copies))):
        panel.plot(intensities, [min(ceilings["gemm GFLOP/s"], copy * x) for x in intensities], color="grey",
                   linestyle="-" if "memory" in label else ":", label=label)
    panel.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s")
    panel.legend()
    panel.set_title(caption(results["machine"]), fontsize=6)
    figure.savefig(path)
    return path


def draw_quality(results, path) -> Path:
    """Prompts drawn right over minutes of training."""
    rows = results["rows"]
    figure = new_figure(4)
    panel = figure.subplots()
    for split, colour in (("seen", "#2d55cd"), ("held_out", "#f58c1e")):
        panel.plot([row["minutes"] for row in rows], [row[split] for row in rows], "o-", color=colour,
                   label=split.replace("_", "-"))
    panel.set(xlabel="minutes of training, all stages", ylabel="prompts drawn right", xlim=(0, None), ylim=(0, 1))
    panel.legend()
    panel.set_title(caption(results["machine"]), fontsize=6)
    figure.savefig(path)
    return path


def draw_leaderboard(results, path) -> Path:
    """Prompts drawn right by each training, a line of points for each change."""
    rows = results["rows"]
    changes = list(dict.fromkeys((row["what"], row["detail"]) for row in rows))
    labels = [textwrap.fill(f"{change} ({what})", 60) for what, change in changes]
    figure = new_figure(1.5 + 0.5 * len(changes))
    panel = figure.subplots()
    for split, colour, above in (("seen", "#2d55cd", -0.1), ("held_out", "#f58c1e", 0.1)):
        panel.plot([row[split] for row in rows],
                   [changes.index((row["what"], row["detail"])) + above for row in rows],
                   "o", color=colour, label=split.replace("_", "-"))
    panel.set_yticks(range(len(changes)), labels, fontsize=6)
    panel.set(xlabel="prompts drawn right", xlim=(0, 1), ylim=(len(changes) - 0.5, -0.5))
    panel.legend(loc="lower left")
    panel.set_title(caption(results["machine"]), fontsize=6)
    figure.savefig(path)
    return path

"""How a run learned, from its folder: the losses of each stage with what chance gives, and its samples over time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from ..ops import contrastive
from ..report.plots import loss_curves, read_metrics
from ..training.loop import Progress
from .images import data_uri, rounded
from .run import About

SOURCES = (contrastive, Progress)
COMMANDS = ("minidiff train --preset tiny --minutes 5 --out runs/first",
            'minidiff explain "a red heart above a blue square" --model runs/first/model')
MOST_POINTS, MOST_SAMPLES, WIDEST = 160, 6, 520


def view(about: About) -> dict:
    folder, count, stages = about.folder, about.settings.train_contrastive.batch_size, []
    if folder is None or not (folder / "metrics.jsonl").exists():
        return {"stages": [], "commands": COMMANDS}
    for stage, losses in loss_curves(read_metrics(folder / "metrics.jsonl")).items():
        shown = {name: points for name, points in losses.items() if name in ("loss", "held_out")}
        stages.append({"name": stage, "chance": chance(stage, count),
                       "losses": {name: rounded(thinned(points)) for name, points in shown.items() if points}})
    return {"folder": folder.name, "stages": [one for one in stages if one["losses"]], "samples": samples(folder)}


def chance(stage: str, count: int) -> dict | None:
    """The contrastive loss of a model that knows nothing: ln n, as each caption has n images to choose from."""
    return {"count": count, "loss": math.log(count)} if stage == "contrastive" else None


def thinned(points: dict[int, float]) -> list[tuple[int, float]]:
    """At most 160 points of a curve, evenly spaced in the logarithm of the step."""
    steps = sorted(points)
    wanted = np.geomspace(max(1, steps[0]), max(1, steps[-1]), MOST_POINTS)
    chosen = sorted({steps[int(np.abs(np.array(steps) - step).argmin())] for step in wanted})
    return [(step, points[step]) for step in chosen]


def samples(folder: Path) -> list[dict]:
    """Some of the grids that a run drew while it learned: the last of the autoencoder, and those of the last stage
    or, of a run that is not that far, of the autoencoder."""
    files: dict[str, list[Path]] = {}
    for path in sorted((folder / "samples").glob("*-*.png")):
        files.setdefault(path.stem.rpartition("-")[0], []).append(path)
    drawn, first = files.get("lora") or files.get("diffusion"), files.get("autoencoder", [])
    chosen = first[-1:] + spread(drawn, MOST_SAMPLES - 1) if drawn else spread(first, MOST_SAMPLES)
    found = []
    for path in chosen:
        stage, _, step = path.stem.rpartition("-")
        with Image.open(path) as image:
            image = image.convert("RGB")
            image.thumbnail((WIDEST, 2 * WIDEST))
            number = int(step) if step.isdecimal() else 0
            found.append({"stage": stage, "step": number, "image": data_uri(image.quantize(96))})
    return found


def spread(items: list, count: int) -> list:
    """At most so many of a list, evenly spaced, with the first and the last."""
    return [items[i] for i in sorted({round(i) for i in np.linspace(0, len(items) - 1, count)})] if items else []

"""What tests of the page share: the data in it, and the files of a training run that never was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from minidiff.pipeline import Pipeline

SEED, COMMAND = 3, "minidiff explain 'a red heart above a blue square' --model tiny --seed 3"
LOSSES = {"autoencoder": {10: 3.0, 100: 0.5}, "contrastive": {10: 4.1, 100: 0.7}, "diffusion": {10: 1.0, 400: 0.1}}


@dataclass
class Explained:
    """A page, the data in it, and the model that it is about."""

    pipe: Pipeline
    prompt: str
    html: str
    views: dict
    file: Path


def data_in(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def write_run(folder):
    """The files of a run that the page reads."""
    (folder / "samples").mkdir(parents=True)
    settings = {"train_contrastive": {"batch_size": 64}, "diffusion": {"time_shift": 1.0}}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    lines = [{"stage": stage, "step": step, "loss": loss}
             for stage, losses in LOSSES.items() for step, loss in losses.items()]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    for step in range(100, 900, 100):
        Image.new("RGB", (90, 40), (step // 4, 90, 60)).save(folder / "samples" / f"diffusion-{step:08}.png")

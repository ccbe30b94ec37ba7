"""Quality over time: a whole training from nothing, paused now and then to see how many prompts it draws right."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from minidiff.data.batches import evaluation_scenes
from minidiff.errors import UserError
from minidiff.evaluation import SPLITS, draw, fraction
from minidiff.pipeline import Pipeline
from minidiff.training.presets import Settings, override, preset
from minidiff.training.run import Run

from ..measure.rows import row


def measure(sizes: Sequence[str] = ("small",), minutes: float = 60.0, every: float = 5.0, count: int = 100,
            threads: int | None = None, device: str = "cpu", settings: Sequence[str] = ()) -> Iterator[dict]:
    """The scores after each `every` minutes and at the end, `count` prompts a split; `settings` are "NAME=VALUE"."""
    for size in sizes:
        chosen = with_settings(preset(size), settings)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder) / "run", chosen, device, threads)
            for trained, scores in curve(run, minutes, every, count):
                yield row("prompts drawn right", f"{size}, after {trained:.1f} minutes", {}, minutes=trained, **scores)


def with_settings(chosen: Settings, settings: Sequence[str]) -> Settings:
    """The settings with some of them changed; each is "NAME=VALUE"."""
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"{setting!r} is not NAME=VALUE")
        chosen = override(chosen, name, value)
    return chosen


def curve(run: Run, minutes: float, every: float, count: int) -> Iterator[tuple[float, dict[str, float]]]:
    """Minutes trained, all stages together, and scores. The clock stands still while scores are taken."""
    start, away, due = time.monotonic(), 0.0, every
    for now in run.train(minutes=minutes):
        trained = (time.monotonic() - start - away) / 60
        if now.stage != "diffusion":
            continue
        # During the warm-up the trainer is still measuring its own pace.
        if now.step == now.total or (trained >= due and now.step > run.settings.train_diffusion.warmup):
            begin = time.monotonic()
            with run.trainer("diffusion").averaged():
                pipe = Pipeline(**vars(run.parts()))
                scores = {split: fraction(one.right for one in draw(pipe, evaluation_scenes(count, split)))
                          for split in SPLITS}
            yield trained, scores
            away += time.monotonic() - begin
            due = trained + every

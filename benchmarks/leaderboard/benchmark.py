"""Which settings draw more prompts right after a few minutes: one change a row, several seeds each.

A seed is that of the weights, the data and the order of both, so runs of one recipe differ. What a change is worth is
the difference of two means over seeds, and their standard errors say how much of it may be chance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from minidiff.training.presets import Settings, override, preset
from minidiff.training.run import Run

from ..measure.rows import row
from ..quality.benchmark import curve

PRESET = "the preset"


def measure(sizes: Sequence[str] = ("small",), minutes: float = 10.0, count: int = 200, seeds: int = 3,
            changes: Sequence[str] = (), threads: int | None = None, device: str = "cpu",
            earlier: Sequence[dict] = ()) -> Iterator[dict]:
    """A row for each training: of each size as it is and with each of the `changes`, "NAME=VALUE NAME=VALUE", for each
    seed. Rows of an earlier run are kept, and what they have is not trained again."""
    yield from earlier
    known = {key(row) for row in earlier}
    for seed in range(seeds):
        for size in sizes:
            for change in ("", *changes):
                found = row(f"{size}, {minutes:g} minutes, {count} prompts", change or PRESET, {}, seed=seed, size=size,
                            planned=minutes, count=count)
                if key(found) not in known:
                    yield found | trained(changed(size, change, seed), minutes, count, threads, device)


def key(row: dict) -> tuple:
    return tuple(row[name] for name in ("size", "detail", "planned", "count", "seed"))


def changed(size: str, change: str, seed: int) -> Settings:
    settings = preset(size)
    for name, value in (setting.split("=", 1) for setting in (f"seed={seed}", *change.split())):
        settings = override(settings, name, value)
    return settings


def trained(settings: Settings, minutes: float, count: int, threads: int | None, device: str) -> dict:
    """The scores at the end, and how many samples each stage had."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run", settings, device, threads)
        *_, (_, scores) = curve(run, minutes, minutes, count)
        stages = {name: run.trainer(name) for name in ("autoencoder", "contrastive", "diffusion")}
        return scores | {"samples": {name: one.step * one.settings.batch_size * one.settings.accumulation
                                     for name, one in stages.items()}}

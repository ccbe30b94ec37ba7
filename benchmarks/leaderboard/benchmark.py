"""Which settings draw more prompts right after a few minutes: one change a row, several seeds each.

A seed is that of the weights, the data and the order of both, so runs of one recipe differ. What a change is worth is
the difference of two means over seeds, and their standard errors say how much of it may be chance.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from minidiff.nn.threads import cores
from minidiff.training.presets import Settings, preset
from minidiff.training.run import Run

from ..measure.file import name_of
from ..measure.rows import row
from ..quality.benchmark import curve, with_settings

PRESET = "the preset"


def measure(sizes: Sequence[str] = ("small",), minutes: float = 10.0, count: int = 200, seeds: int = 3,
            changes: Sequence[str] = (), threads: int | None = None, device: str = "cpu",
            earlier: Sequence[dict] = ()) -> Iterator[dict]:
    """A row for each training: of each size as it is and with each of the `changes`, "NAME=VALUE NAME=VALUE", for each
    seed. Rows of an earlier run are kept, and what they have is not trained again."""
    yield from earlier
    known, threads = {name_of(row) for row in earlier}, threads or cores()
    for seed in range(seeds):
        for size in sizes:
            for change in ("", *changes):
                found = row(f"{size}, {minutes:g} minutes, {count} prompts, {threads} threads, {device}",
                            change or PRESET, {}, seed=seed, size=size, planned=minutes, count=count)
                if name_of(found) not in known:
                    yield found | trained(changed(size, change, seed), minutes, count, threads, device)


def changed(size: str, change: str, seed: int) -> Settings:
    return with_settings(preset(size), [f"seed={seed}", *change.split()])


def trained(settings: Settings, minutes: float, count: int, threads: int, device: str) -> dict:
    """The scores at the end, and how many samples each stage had."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run", settings, device, threads)
        *_, (_, scores) = curve(run, minutes, minutes, count)
        stages = {name: run.trainer(name) for name in ("autoencoder", "contrastive", "diffusion")}
        return scores | {"samples": {name: one.step * one.settings.batch_size * one.settings.accumulation
                                     for name, one in stages.items()}}

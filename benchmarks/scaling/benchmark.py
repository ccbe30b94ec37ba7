"""How the time of a diffusion step grows with its work: more samples, more channels, more pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from minidiff.nn.threads import cores
from minidiff.training.presets import Settings

from ..measure.packages import PEERS, installed
from ..measure.products import counted
from ..measure.rows import row
from ..measure.threads import limited
from ..measure.timing import Timing, interleaved
from ..steps.sizes import SIZES
from ..steps.stages import OurStep, stages


def batch(settings: Settings, factor: float) -> Settings:
    own = settings.train_diffusion
    return replace(settings, train_diffusion=replace(own, batch_size=int(factor * own.batch_size)))


def channels(settings: Settings, factor: float) -> Settings:
    widths = tuple(int(factor * width) for width in settings.unet.block_out_channels)
    return replace(settings, unet=replace(settings.unet, block_out_channels=widths))


def pixels(settings: Settings, factor: float) -> Settings:
    """`factor` times as many pixels: images √factor times as high and wide, so factors are powers of 4."""
    return replace(settings, size=int(factor**0.5 * settings.size))


GROWTH = {"batch": (batch, (0.5, 1, 2, 4)), "channels": (channels, (0.5, 1, 2)), "pixels": (pixels, (0.25, 1, 4))}


def measure(sizes: Sequence[str] = ("small",), match: str = "", rounds: int = 5, pause: float = 0.1,
            threads: int | None = None) -> Iterator[dict]:
    """A row per point; from the second on, with the exponent of time ~ operations ^ exponent of the points so far."""
    threads = threads or cores()
    with limited(threads):
        for size in sizes:
            for name, (grown, factors) in GROWTH.items():
                points = []
                for factor in factors if match in name else ():
                    settings = grown(SIZES[size], factor)
                    operations, times = count(settings), measure_step(settings, rounds, pause, threads)
                    points.append((operations, {runtime: time.median for runtime, time in times.items()}))
                    yield row("diffusion step", f"{size}: {name} x {factor:g}", times, operations=operations) | {
                        "GFLOP": operations / 1e9} | ({"exponent": exponents(points)} if len(points) > 1 else {})


def diffusion(settings):
    return next(stage for stage in stages(settings, "cpu") if stage.name == "diffusion")


def count(settings) -> int:
    """Multiplications and additions of all our matrix products, by one worker: this process sees no other's."""
    step = OurStep(diffusion(settings), threads=1)
    step()  # loads every module that makes products
    with counted() as operations:
        step()
    step.close()
    return sum(operations)


def measure_step(settings, rounds, pause, threads) -> dict[str, Timing]:
    stage = diffusion(settings)
    ours = OurStep(stage, threads)
    runs = {"NumPy": ours}
    if installed(*PEERS):
        from ..steps.peers import LAYOUTS, TheirStep

        runs |= {f"PyTorch{layout}": TheirStep(stage, format) for layout, format in LAYOUTS.items()}
    times = interleaved(runs, rounds, pause)
    ours.close()
    return times


def exponents(points) -> dict[str, float]:
    """The slopes of log time over log operations, by least squares."""
    work = np.log([operations for operations, _ in points])
    return {runtime: float(np.polyfit(work, np.log([times[runtime] for _, times in points]), 1)[0])
            for runtime in points[0][1]}

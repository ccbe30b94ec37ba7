"""Stable Diffusion 1.5 in full size, with random weights: a call of each part, time and memory.

Each runtime calls a part in a process of its own, since the peak of a process's memory never falls; the processes take
turns. All open the same files, 3.4 GB for the UNet, and must give the same result.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from minidiff.nn.threads import cores

from ..measure import process
from ..measure.checks import check
from ..measure.packages import PEERS, installed
from ..measure.rows import row
from ..measure.timing import Timing

TOLERANCE = 1e-3
LAYOUTS = ["PyTorch", "PyTorch NHWC"]
PARTS = {"text": "text encoder, batch 2", "unet": "UNet call, batch 2", "vae": "VAE decode, batch 1",
         "image": "image, 20 steps"}


def measure(sizes: Sequence[str] = ("full",), match: str = "", rounds: int = 3, calls: int = 2, pause: float = 0.1,
            threads: int | None = None, compiled: bool = False) -> Iterator[dict]:
    """Rows of one part each. A process makes one call that is not timed, then `calls` with a pause before each; of a
    whole image only one, which is timed.

    With `compiled`, OpenVINO is one of the peers, but for a whole image.
    """
    peers = LAYOUTS if installed(*PEERS) else []
    others = ["OpenVINO"] if compiled and installed(*PEERS, "openvino") else []
    for size in sizes:
        for part, title in PARTS.items():
            if match in title:
                runtimes = ["NumPy", *(peers[:1] if part == "text" else peers), *(others if part != "image" else [])]
                with tempfile.TemporaryDirectory() as folder:
                    yield measure_part(Path(folder), part, title, size, runtimes, rounds,
                                       calls if part != "image" else 0, pause, threads or cores())


def measure_part(folder, part, title, size, runtimes, rounds, calls, pause, threads) -> dict:
    parameters = process.run("sd15.call", "write", part, size, folder)["parameters"]
    if "OpenVINO" in runtimes:
        process.run("sd15.call", "convert", part, size, folder)
    found = {name: [] for name in runtimes}
    for index in range(rounds):
        first = index % len(runtimes)
        for name in runtimes[first:] + runtimes[:first]:
            found[name].append(process.run("sd15.call", name, part, size, folder, calls, pause, threads))
        answers = {name: np.load(folder / f"{name}.npy") for name in runtimes}
        errors = {name: check(f"{title} in {name}", answers["NumPy"], answers[name], TOLERANCE)
                  for name in runtimes[1:]}
    times = {name: Timing(tuple(time for result in results for time in result["seconds"]))
             for name, results in found.items()}
    return row(title, f"{size}: {parameters / 1e6:.0f} M parameters", times) | {
        "MB": {name: peak for name, results in found.items() if (peak := max(one["peak MB"] for one in results))},
        "opening": {name: min(result["opening"] for result in results) for name, results in found.items()},
        "largest error": errors}

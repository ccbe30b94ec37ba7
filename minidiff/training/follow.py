"""What every rank but the first does (ranks.py): it trains the stages that the first one trains, and writes nothing."""

from __future__ import annotations

import warnings
from pathlib import Path

from .lora import resume
from .ranks import Ranks


def follow(ranks: Ranks, folder: Path, threads: int | None = None) -> None:
    """Follow the first rank, which trains in this folder, until it ends.

    What the stages need, such as latents, is read from the folder, so all machines must have it.
    """
    run = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first rank has the same ones, and shows them
        while (told := ranks.hear()) is not None:
            stage, device = told
            run = run or resume(folder, ranks.device(device), threads)
            run.trainers.clear()  # what the first rank has made of earlier stages is in their files
            run.trainer(stage).follow()

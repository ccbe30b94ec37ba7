"""Tiny runs by several processes: mpiexec -n K python ranked_runs.py FOLDER [stop | killed | failed].

`stop` leaves a stage after its second step; otherwise that becomes of rank 1 in the middle of the contrastive stage.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tiny_training import SETTINGS

from minidiff.errors import UserError
from minidiff.training import loop
from minidiff.training.follow import follow
from minidiff.training.lora import resume
from minidiff.training.ranks import together
from minidiff.training.run import Run


def train(folder, how=""):
    """Train the run in a folder to its end, or until a stage is at its second step."""
    run = resume(folder, threads=1) if (folder / "settings.json").exists() else Run(folder, SETTINGS, threads=1)
    for now in run.train():
        if how == "stop" and now.step == 2 and now.stage in run.trainers:
            run.trainer(now.stage).save()
            return


def end_in_the_middle(how):
    """Have this process end at step 3 of the contrastive stage."""
    update = loop.Trainer._update

    def end(trainer, workers):
        if (trainer.stage.name, trainer.step) == ("contrastive", 3):
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise UserError("it has failed")
        return update(trainer, workers)

    loop.Trainer._update = end


def by_ranks(folder, how=""):
    """Train as the first rank, or follow it."""
    with together() as ranks:
        if not ranks.rank:
            train(folder, how)
            return
        if how in ("killed", "failed"):
            end_in_the_middle(how)
        follow(ranks, folder, 1)


if __name__ == "__main__":
    if sys.argv[2:]:
        loop.LOOK_EVERY, loop.CHECKPOINT_SECONDS = 1, 0
    by_ranks(Path(sys.argv[1]), *sys.argv[2:])

"""Runs that are killed by `kill -9` at random moments, and continued in new processes until they end.

Half of the kills come just before the run opens, renames or removes its n-th file, the others at any time; some hit a
worker instead of the first process.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tiny_training import SETTINGS

from minidiff.errors import UserError
from minidiff.training import loop
from minidiff.training.lora import LoRARun, resume
from minidiff.training.presets import DataSettings, LoRASettings
from minidiff.training.run import Run

KINDS = ("scenes", "images", "from a model", "lora")
WORKER_KILLED = 3  # exit code
FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
SHORT = replace(SETTINGS, lora=LoRASettings(rank=0), **{
    f"train_{stage}": replace(SETTINGS.train_autoencoder, steps=2)
    for stage in ("autoencoder", "contrastive", "diffusion", "lora")})
CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else None)
CONTEXT.set_forkserver_preload(["killed_runs"])


def start(kind, folder, inputs):
    """A new run of a kind. `inputs` has a folder of images and a model."""
    if kind == "scenes":
        return Run(folder, SHORT, threads=2)
    if kind == "images":
        return Run(folder, replace(SHORT, data=DataSettings(str(inputs / "images"))), threads=2)
    if kind == "lora":
        return LoRARun(folder, replace(SHORT, lora=LoRASettings(rank=2)), threads=2, start=inputs / "model")
    return Run(folder, SHORT, threads=2, start=inputs / "model")


def go_on(kind, folder, inputs, kill_at, events):
    """What a person does: resume the run in a folder, or start it if there is none. Counts its uses of files."""
    loop.LOOK_EVERY, loop.CHECKPOINT_SECONDS = 1, 0
    place = str(folder)

    def count(event, arguments):
        if event in FILE_EVENTS and isinstance(arguments[0], str | Path) and str(arguments[0]).startswith(place):
            events.value += 1
            if events.value == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    try:
        run = resume(folder, threads=2) if (folder / "settings.json").exists() else start(kind, folder, inputs)
        for _ in run.train():
            pass
    except UserError as error:
        sys.exit(WORKER_KILLED if "a worker process was killed" in str(error) else f"{kind}: {error}")


def attempt(kind, folder, inputs, kill_at=0, seconds=None, kill_worker=False):
    """Go on with a run in a process that is killed at its use `kill_at` of a file, or after some seconds.

    The exit code, and how often it used a file.
    """
    events = CONTEXT.RawValue("i", 0)
    process = CONTEXT.Process(target=go_on, args=(kind, folder, inputs, kill_at, events))
    process.start()
    if seconds is not None:
        time.sleep(seconds)
        with suppress(OSError):
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(workers[0]) if kill_worker and workers else process.pid, signal.SIGKILL)
    process.join(60)
    return process.exitcode, events.value


def kill_until_it_ends(kind, folder, inputs, rng, most, usual):
    """How often a run was killed until it ended, at most `most` times.

    `usual`: how often an undisturbed run uses its files, and how many seconds it takes.
    """
    uses, seconds = usual
    for kills in range(most):
        by_file = rng.random() < 0.5
        code, _ = (attempt(kind, folder, inputs, kill_at=int(rng.integers(1, uses // 2))) if by_file else
                   attempt(kind, folder, inputs, seconds=rng.uniform(0, seconds), kill_worker=rng.random() < 0.3))
        if code == 0:
            return kills
        assert code in (-signal.SIGKILL, WORKER_KILLED)
    code, _ = attempt(kind, folder, inputs)
    assert code == 0
    return most


def outcome(folder):
    """All that a run leaves behind: the digest of each file, and the last record of each step without its times."""
    records = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        with suppress(ValueError):
            record = json.loads(line)
            records[record["stage"], record["step"]] = {name: value for name, value in record.items()
                                                       if name not in ("time", "samples_per_second")}
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in folder.rglob("*") if path.is_file() and path.name != "metrics.jsonl"}
    return files, records


def train_with_small_files(folder, largest, answer):
    """Go on with a run where no file can be larger than that, as on a full disk; sends the message it ends with."""
    import resource

    loop.LOOK_EVERY = 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        run = resume(folder, threads=1) if (folder / "settings.json").exists() else Run(folder, SHORT, threads=1)
        list(run.train())
    except UserError as error:
        answer.send(str(error))

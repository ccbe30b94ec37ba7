"""A process of its own for what is measured: the peak of a process's memory never falls."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(module: str, *words) -> dict:
    """What `python -m benchmarks.MODULE WORDS` prints, a line of JSON."""
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *map(str, words)], capture_output=True,
                          text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def memory(module: str, runtimes: Iterable[str], *words) -> dict[str, float]:
    """By runtime the peak that `run(module, runtime, *words)` finds, if the system tells it."""
    peaks = {name: run(module, name, *words)["peak MB"] for name in runtimes}
    return {name: peak for name, peak in peaks.items() if peak}


def peak_memory(process: int | str = "self") -> float:
    """The largest memory of a process so far, in MB; 0 where the system is not Linux."""
    status = Path(f"/proc/{process}/status")
    if not status.is_file():
        return 0.0
    [kilobytes] = [line.split()[1] for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
    return int(kilobytes) / 1e3


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Inside, `count` other processes each keep a core busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()

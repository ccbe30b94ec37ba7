"""A process of its own for what is measured: the peak of a process's memory never falls."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
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


def peak_memory(process: int | str = "self") -> float:
    """The largest memory of a process so far, in MB."""
    status = Path(f"/proc/{process}/status")
    if status.is_file():  # what getrusage says there includes the process that started this one
        [kilobytes] = [line.split()[1] for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
        return int(kilobytes) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


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

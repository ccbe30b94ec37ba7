"""Python in a process of its own, which finds the package wherever it is, and what tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import minidiff

PATHS = [str(Path(minidiff.__file__).parents[1]), str(Path(__file__).parent),
         *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}


def run_python(*arguments, check=True):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=check, env=ENVIRONMENT)


HOLD = ("import sys; from pathlib import Path; from minidiff.storage.lock import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()")


@contextmanager
def holding(folder):
    """Another process that holds a folder (storage/lock.py)."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], env=ENVIRONMENT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False

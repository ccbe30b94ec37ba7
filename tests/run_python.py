"""Python in a process of its own, which finds the package wherever it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import minidiff

PATHS = [str(Path(minidiff.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}


def run_python(*arguments, check=True):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=check, env=ENVIRONMENT)

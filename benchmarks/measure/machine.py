"""Where and with what a benchmark ran: the header of every table and every file of results."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from threadpoolctl import threadpool_info

from minidiff.backend import gpu_available
from minidiff.nn.threads import cores

from .. import OVERRIDES
from .packages import versions

ROOT = Path(__file__).parents[2]


def describe() -> dict:
    blas = next((library for library in threadpool_info() if library["user_api"] == "blas"), {})
    overrides = {name: os.environ[name] for name in OVERRIDES if name in os.environ}
    return {
        "cpu": cpu_name(), "cores": cores(), "load before": load(), "gpu": gpu_name(),
        "blas": f"{blas.get('internal_api')} {blas.get('version')}",
        "blas core type": blas.get("architecture"), "native": not overrides, "overrides": overrides,
        "precision": "float32, without TF32 unless a row says so",
        "versions": {"python": platform.python_version()} | versions(), "system": platform.platform(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit(),
    }


def load() -> float | None:
    """How many processes wanted a core in the last minute; None on a system that does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cpu_name() -> str:
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def gpu_name() -> str | None:
    if not gpu_available():
        return None
    from .device import properties

    return properties()["name"].decode()


def commit() -> str | None:
    """The commit of the source tree, marked if files other than results differ from it."""
    git, sources = ["git", "-C", str(ROOT)], ["minidiff", "benchmarks", ":!benchmarks/results"]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *sources])
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + (" with changes" if changed.returncode else "")


def folder_name(machine: dict, device: str | None = None) -> str:
    """The machine as a folder: cpu and cores, and the gpu if there is one; of what measures the GPU, that alone."""
    words = " ".join(filter(None, [machine["cpu"], f"{machine['cores']} cores", machine["gpu"]]))
    if device == "cuda":
        words = machine["gpu"]
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", words.lower())).strip("-")

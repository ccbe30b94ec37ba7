"""What all plots share: a figure, the machine as its title, a colour for each runtime."""

from __future__ import annotations

import textwrap

COLOURS = {"NumPy plain": "#8ca0e6", "NumPy": "#2d55cd", "CuPy plain": "#e6a08c", "CuPy": "#c83c28",
           "CuPy captured": "#781450", "PyTorch": "#f58c1e", "PyTorch NHWC": "#32a046", "PyTorch GPU": "#dcaa00",
           "PyTorch GPU NHWC": "#8c8c28", "to the GPU and back": "#787878"}


def caption(machine: dict) -> str:
    gpu = f", {machine['gpu']}" if machine.get("gpu") else ""
    mode = "native" if machine["native"] else "with OpenBLAS overridden"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    words = (f"{machine['cpu']}, {machine['cores']} cores, {machine['blas core type']}, {mode}{gpu}, "
             f"{machine['precision']}; {versions}; {machine['date']}, {machine['commit']}")
    return "\n".join(textwrap.wrap(words, 110))


def new_figure(height):
    from matplotlib.figure import Figure

    return Figure(figsize=(9, height), layout="constrained")

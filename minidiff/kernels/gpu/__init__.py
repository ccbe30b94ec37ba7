"""Kernels in CUDA C, each next to its launcher. An op without one runs on CuPy as it is written in `ops/`.

The head of a `.cu` file says how the work is divided among threads, and which bytes it must move: what its time is
measured against. `launch.py` says which types the arrays have.
"""

import importlib
import pkgutil

for _, name, _ in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{name}")

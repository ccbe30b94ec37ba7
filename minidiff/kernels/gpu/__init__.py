"""Kernels in CUDA C, each next to its launcher. An op without one runs on CuPy as it is written in `ops/`."""

import importlib
import pkgutil

for _, name, _ in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{name}")

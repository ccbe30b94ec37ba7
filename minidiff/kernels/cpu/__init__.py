"""Kernels in NumPy, written for the caches and the BLAS of a CPU."""

import importlib
import pkgutil

for _, name, _ in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{name}")

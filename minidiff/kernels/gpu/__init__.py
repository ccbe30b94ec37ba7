"""CUDA C beside its launcher, for the threads of a GPU. There is none yet: CuPy runs the ops as they are."""

import importlib
import pkgutil

for _, name, _ in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{name}")

"""Which of the packages that are compared are installed."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

PACKAGES = ("numpy", "cupy-cuda12x", "cupy-cuda13x", "torch", "diffusers", "transformers", "tokenizers")
PEERS = ("torch", "diffusers", "transformers")  # what whole networks are compared with


def installed(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

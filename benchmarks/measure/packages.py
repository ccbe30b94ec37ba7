"""Which of the packages that are compared are installed."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

PACKAGES = ("numpy", "cupy-cuda12x", "cupy-cuda13x", "nvidia-cudnn-frontend", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13",
            "torch", "diffusers", "transformers", "tokenizers", "openvino")
PEERS = ("torch", "diffusers", "transformers")  # what whole networks are compared with


def installed(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def missing(device: str, *modules: str) -> str | None:
    """Why these packages cannot be compared on a device, in a few words; None if they can."""
    absent = [module for module in modules if not installed(module)]
    if absent:
        return f"{', '.join(absent)} not installed"
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            return f"PyTorch {torch.__version__} finds no GPU"
    return None


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

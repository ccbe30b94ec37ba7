"""What timing on a GPU needs: waiting until it has finished. The only file of the benchmarks that imports CuPy."""

from __future__ import annotations

import sys


def properties() -> dict:
    import cupy

    return cupy.cuda.runtime.getDeviceProperties(0)


def wait() -> None:
    """Until everything that was started on the GPU has finished."""
    if "cupy" in sys.modules:
        sys.modules["cupy"].cuda.get_current_stream().synchronize()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()

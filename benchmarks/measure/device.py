"""What measuring on a GPU needs: waiting until it has finished, and how much of its memory is taken."""

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


def memory_taken(device: str) -> float:
    """MB of the GPU's memory that are taken, by whatever library. A pool keeps what it has once needed: its peak."""
    if device == "cpu":
        return 0.0
    import cupy

    wait()
    free, total = cupy.cuda.runtime.memGetInfo()
    return (total - free) / 1e6


def memory_in_use(device: str) -> float:
    """`memory_taken` after the pools have given back what arrays no longer need."""
    if device == "cuda":
        import cupy

        wait()
        cupy.get_default_memory_pool().free_all_blocks()
        if "torch" in sys.modules:
            sys.modules["torch"].cuda.empty_cache()
    return memory_taken(device)

"""The same number of threads for every runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from .packages import installed


@contextmanager
def limited(count: int) -> Iterator[None]:
    """Inside, BLAS and PyTorch compute with `count` threads each."""
    with threadpool_limits(count, "blas"):
        if not installed("torch"):
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

"""The same number of threads for every runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from minidiff.nn.threads import at_most

from .packages import installed


@contextmanager
def limited(count: int) -> Iterator[None]:
    """Inside, minidiff, BLAS and PyTorch compute with `count` threads each."""
    with at_most(count):
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

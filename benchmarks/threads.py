"""As many threads for one runtime as for the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from threadpoolctl import threadpool_limits


@contextmanager
def limited(count: int) -> Iterator[None]:
    """Inside, BLAS and PyTorch compute with `count` threads each."""
    with threadpool_limits(count, "blas"):
        if find_spec("torch") is None:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

"""Counter-based random streams, drawn on the host: the same key gives the same values on every machine."""

from __future__ import annotations

import numpy as np

from .array_module import array_module


def random_stream(key) -> np.random.Generator:
    """A Philox generator; `key` is one integer or two."""
    return np.random.Generator(np.random.Philox(key=key))


def normal(seeds, shape, like=None):
    """Standard normal noise with one stream per seed, so that image j gets the same noise alone and in a batch.

    seeds (N,), shape (H, W, C) -> y (N, H, W, C), float32, on the same device as the array `like` (default: the host)
    """
    noise = np.stack([random_stream(int(seed)).standard_normal(shape, dtype=np.float32) for seed in seeds])
    return noise if like is None else array_module(like).asarray(noise)

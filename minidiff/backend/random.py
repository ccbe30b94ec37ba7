"""Counter-based random streams, drawn on the host: the same key gives the same values on every machine."""

from __future__ import annotations

import numpy as np

from .array_module import array_module


def random_stream(seed, purpose=0, index=0) -> np.random.Generator:
    """The Philox generator of these three numbers, each below 2⁶⁴; any others give another stream.

    Seed and purpose are the halves of its key, and the index is the highest word of its counter.
    """
    return np.random.Generator(np.random.Philox(key=int(seed) + (int(purpose) << 64), counter=int(index) << 192))


def normal(seeds, shape, like=None, purpose=0):
    """Standard normal noise with one stream per seed, so that image j gets the same noise alone and in a batch.

    seeds (N,), shape (H, W, C) -> y (N, H, W, C), float32, on the same device as the array `like` (default: the host)
    """
    noise = np.stack([random_stream(seed, purpose).standard_normal(shape, dtype=np.float32) for seed in seeds])
    return noise if like is None else array_module(like).asarray(noise)

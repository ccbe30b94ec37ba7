"""Embeddings: a learned vector per token, and sinusoids for a timestep."""

import math

from ..backend import array_module
from .op import op


@op
def embedding(table, ids):
    """y[n, t] = table[ids[n, t]]

    table (V, C), ids (N, T) -> y (N, T, C)
    """
    xp = array_module(table)

    def backward(dy):
        dtable = xp.zeros_like(dy, shape=table.shape)
        xp.add.at(dtable, ids, dy)
        return dtable, None

    return xp.take(table, ids, axis=0), backward


@op
def sinusoidal_embedding(t, features, flip_sin_to_cos=True, freq_shift=0.0, max_period=10000.0):
    """y = [cos(t ωᵢ), sin(t ωᵢ)], ωᵢ = max_period^(−i / (F/2 − freq_shift)); sin first unless flip_sin_to_cos.

    t (N) -> y (N, F), F even

    Vaswani et al. 2017, section 3.5; for diffusion, with t in [0, 1000], Ho et al. 2020, appendix B.
    """
    xp = array_module(t)
    half = features // 2
    omega = xp.exp(xp.arange(half, dtype=t.dtype) * (-math.log(max_period) / (half - freq_shift)))
    angle = t[:, None] * omega
    cos, sin = xp.cos(angle), xp.sin(angle)
    y = xp.concatenate((cos, sin) if flip_sin_to_cos else (sin, cos), axis=-1)

    def backward(dy):
        dcos, dsin = (dy[:, :half], dy[:, half:]) if flip_sin_to_cos else (dy[:, half:], dy[:, :half])
        return ((dsin * cos - dcos * sin) * omega).sum(axis=-1)

    return y, backward

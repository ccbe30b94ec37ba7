"""Attention in blocks of scores that stay in the cache from the product to the sum over values.

Scores are stored keys first, (N, A, K, Q): the softmax then reduces over rows, its sum is a product with ones. What it
divides by is left to y, which is smaller: y = (exp(scores)ᵀ v) / total. Only the weights are kept, and y.
"""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...backend import full_precision, matmul
from ...ops import replaces
from ...ops.attention import split_heads
from ...ops.op import grad_enabled
from .passes import column_sums

BLOCK = 1 << 18  # scores computed at once


@replaces(ops.attention)
def attention(q, k, v, heads, causal=False):
    scale = math.sqrt(heads / q.shape[-1])
    qh, kh, vh = split_heads(q * scale, heads), split_heads(k, heads), split_heads(full_precision(v), heads)
    y = np.empty(q.shape, q.dtype)
    yh = split_heads(y, heads)
    total = np.empty((*qh.shape[:3], 1), vh.dtype)
    parts = list(score_blocks(*qh.shape[:3], k.shape[1]))
    kept = []
    for part in parts:
        weights = full_precision(matmul(kh[part[:2]], qh[part].swapaxes(-1, -2)))
        if causal:
            later = np.arange(k.shape[1])[:, None] > np.arange(q.shape[1])[part[2]]
            weights += np.where(later, -1e4, 0.0).astype(weights.dtype)
        weights -= weights.max(axis=-2, keepdims=True)
        np.exp(weights, out=weights)
        total[part] = column_sums(weights).swapaxes(-1, -2)
        yh[part] = matmul(weights.swapaxes(-1, -2), vh[part[:2]]) / total[part]
        if grad_enabled():
            kept.append(weights.astype(q.dtype, copy=False))

    def backward(dy):
        # dscores = weights · (dweights − Σ dweights · weights) / total, and that sum over keys is dy · y / total.
        dyh = split_heads(dy, heads) / total
        inner = np.einsum("naqe,naqe->naq", dyh, yh)[:, :, None]
        dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
        dqh, dkh, dvh = split_heads(dq, heads), split_heads(dk, heads), split_heads(dv, heads)
        for part, weights in zip(parts, kept, strict=True):
            some = part[:2]
            dvh[some] += matmul(weights, dyh[part])
            dscores = matmul(vh[some], dyh[part].swapaxes(-1, -2))
            dscores -= inner[*some, :, part[2]]
            dscores *= weights
            dqh[part] = matmul(dscores.swapaxes(-1, -2), kh[some])
            dkh[some] += matmul(dscores, qh[part])
        dq *= scale
        return dq, dk, dv

    return y, backward


def score_blocks(samples, heads, queries, keys):
    """Yield slices (samples, heads, queries): all queries of as many heads as make BLOCK scores, or some of one."""
    q = max(1, min(queries, BLOCK // keys))
    a = max(1, min(heads, BLOCK // (keys * q)))
    n = max(1, BLOCK // (keys * q * a))
    for i in range(0, samples, n):
        for j in range(0, heads, a):
            for start in range(0, queries, q):
                yield slice(i, i + n), slice(j, j + a), slice(start, start + q)

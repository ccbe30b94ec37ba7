"""Scaled dot-product attention: each query takes the mean of the values, weighted by how well their keys match it."""

from __future__ import annotations

import math

import numpy as np

from ..backend import array_module, column_sums, full_precision, matmul
from .op import grad_enabled, op
from .softmax import stable_exp

BLOCK_SCORES = 1 << 18  # scores computed at once: what stays in a CPU's cache from the product to the sum over values
DEVICE_SCORES = 1 << 26  # the same on a GPU, where memory is the bound


@op
def attention(q, k, v, heads, causal=False):
    """y = softmax(q kᵀ / √d) v per head of width d = C / heads; causal: a query sees no later key.

    q (N, Q, C), k (N, K, C), v (N, K, C) -> y (N, Q, C)

    Vaswani et al. 2017, eq. 1; backward as Dao et al., 2205.14135, eq. 4. Scores are stored keys first, (N, A, K, Q):
    the softmax then reduces over rows. What it divides by is left to y, which is smaller: y = (exp(scores)ᵀ v) / total.
    """
    xp = array_module(q)
    scale = math.sqrt(heads / q.shape[-1])
    qh, kh, vh = _heads(q * scale, heads), _heads(k, heads), _heads(full_precision(v), heads)
    y = xp.empty(q.shape, q.dtype)
    yh = _heads(y, heads)
    total = xp.empty((*qh.shape[:3], 1), vh.dtype)
    blocks = list(_blocks(*qh.shape[:3], k.shape[1], BLOCK_SCORES if xp is np else DEVICE_SCORES))
    kept = []
    for block in blocks:
        scores = full_precision(matmul(kh[block[:2]], qh[block].swapaxes(-1, -2)))
        if causal:
            later = xp.arange(k.shape[1])[:, None] > xp.arange(q.shape[1])[block[2]]
            scores += xp.where(later, -1e4, 0.0).astype(scores.dtype)
        weights = stable_exp(scores, -2, out=scores)
        total[block] = column_sums(weights).swapaxes(-1, -2)
        yh[block] = matmul(weights.swapaxes(-1, -2), vh[block[:2]]) / total[block]
        if grad_enabled():
            kept.append(weights.astype(q.dtype, copy=False))

    def backward(dy):
        dsum = _heads(dy, heads) / total
        mean = xp.einsum("naqe,naqe->naq", dsum, yh)[:, :, None]  # = Σ over keys of (v dsumᵀ) · weights / total
        dq, dk, dv = xp.empty_like(q), xp.zeros_like(k), xp.zeros_like(v)
        dqh, dkh, dvh = _heads(dq, heads), _heads(dk, heads), _heads(dv, heads)
        for block, weights in zip(blocks, kept, strict=True):
            some = block[:2]
            dvh[some] += matmul(weights, dsum[block])
            dscores = matmul(vh[some], dsum[block].swapaxes(-1, -2))
            dscores -= mean[*some, :, block[2]]
            dscores *= weights
            dqh[block] = matmul(dscores.swapaxes(-1, -2), kh[some])
            dkh[some] += matmul(dscores, qh[block])
        dq *= scale
        return dq, dk, dv

    return y, backward


def _blocks(samples, heads, queries, keys, scores):
    """Yield slices (samples, heads, queries): all queries of as many heads as make `scores`, or some of one."""
    q = max(1, min(queries, scores // keys))
    a = max(1, min(heads, scores // (keys * q)))
    n = max(1, scores // (keys * q * a))
    for i in range(0, samples, n):
        for j in range(0, heads, a):
            for start in range(0, queries, q):
                yield slice(i, i + n), slice(j, j + a), slice(start, start + q)


def _heads(x, heads):
    """(N, T, C) -> the view (N, A, T, E)"""
    n, tokens, width = x.shape
    return x.reshape(n, tokens, heads, width // heads).swapaxes(1, 2)

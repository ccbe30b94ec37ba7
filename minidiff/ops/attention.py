"""Scaled dot-product attention: each query takes the mean of the values, weighted by how well their keys match it."""

from __future__ import annotations

import math

from ..backend import array_module, matmul
from .op import grad_enabled, op
from .softmax import softmax_back, stable_softmax

BLOCK_SCORES = 1 << 22  # scores computed at once: queries are taken in blocks, so that memory stays bounded


@op
def attention(q, k, v, heads, causal=False):
    """y = softmax(q kᵀ / √d) v per head of width d = C / heads; causal: a query sees no later key.

    q (N, Q, C), k (N, K, C), v (N, K, C) -> y (N, Q, C)

    Vaswani et al. 2017, eq. 1. Scores are stored keys first, (N, A, K, Q): the softmax then reduces over rows.
    """
    xp = array_module(q)
    qh, kh, vh = _heads(q, heads), _heads(k, heads), _heads(v, heads)
    scale = 1 / math.sqrt(qh.shape[-1])
    y = xp.empty(q.shape, q.dtype)
    yh = _heads(y, heads)
    block = max(1, BLOCK_SCORES // (q.shape[0] * heads * k.shape[1]))
    blocks = [slice(start, start + block) for start in range(0, q.shape[1], block)]
    kept = []
    for queries in blocks:
        scores = matmul(kh, qh[:, :, queries].swapaxes(-1, -2))
        scores *= scale
        if causal:
            later = xp.arange(k.shape[1])[:, None] > xp.arange(q.shape[1])[queries]
            scores += xp.where(later, -1e4, 0.0).astype(scores.dtype)
        probs = stable_softmax(scores, -2).astype(q.dtype, copy=False)
        yh[:, :, queries] = matmul(probs.swapaxes(-1, -2), vh)
        if grad_enabled():
            kept.append(probs)

    def backward(dy):
        dyh = _heads(dy, heads)
        dq, dk, dv = xp.empty_like(q), xp.zeros_like(k), xp.zeros_like(v)
        dqh, dkh, dvh = _heads(dq, heads), _heads(dk, heads), _heads(dv, heads)
        for queries, weights in zip(blocks, kept, strict=True):
            dyh_block = dyh[:, :, queries]
            dvh += matmul(weights, dyh_block)
            dscores = softmax_back(matmul(vh, dyh_block.swapaxes(-1, -2)), weights, -2)
            dscores *= scale
            dqh[:, :, queries] = matmul(dscores.swapaxes(-1, -2), kh)
            dkh += matmul(dscores, qh[:, :, queries])
        return dq, dk, dv

    return y, backward


def _heads(x, heads):
    """(N, T, C) -> the view (N, A, T, E)"""
    n, tokens, width = x.shape
    return x.reshape(n, tokens, heads, width // heads).swapaxes(1, 2)

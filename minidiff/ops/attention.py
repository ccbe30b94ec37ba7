"""Scaled dot-product attention: each query averages the values, weighted by how well their keys match it."""

import math

from ..backend import array_module, matmul
from .op import op
from .softmax import softmax


@op
def attention(q, k, v, heads, causal=False):
    """y = softmax(q kᵀ / √E) v per head of width E = C / heads; if causal, query i sees keys up to i.

    q (N, Q, C), k (N, K, C), v (N, K, C) -> y (N, Q, C)

    Vaswani et al. 2017, eq. 1.
    """
    scale = math.sqrt(heads / q.shape[-1])
    qh, kh, vh = split_heads(q, heads), split_heads(k, heads), split_heads(v, heads)     # (N, A, T, E)
    scores = matmul(scale * qh, kh.swapaxes(-1, -2))                                     # (N, A, Q, K)
    weights, softmax_back = softmax(mask_later(scores) if causal else scores)
    yh = matmul(weights, vh)                                                             # (N, A, Q, E)

    def backward(dy):
        dyh = split_heads(dy, heads)
        dweights = matmul(dyh, vh.swapaxes(-1, -2))
        dscores = softmax_back(dweights)                        # weights · (dweights − Σ weights · dweights over keys)
        dqh = scale * matmul(dscores, kh)
        dkh = scale * matmul(dscores.swapaxes(-1, -2), qh)
        dvh = matmul(weights.swapaxes(-1, -2), dyh)
        return merge_heads(dqh), merge_heads(dkh), merge_heads(dvh)

    return merge_heads(yh), backward


def mask_later(scores):
    """Set the scores of keys later than their query to −∞, so that their weights are exactly 0."""
    xp, (queries, keys) = array_module(scores), scores.shape[-2:]
    later = xp.arange(keys) > xp.arange(queries)[:, None]
    return xp.where(later, -xp.inf, scores)


def split_heads(x, heads):
    """(N, T, C) -> (N, A, T, E)"""
    n, tokens, channels = x.shape
    return x.reshape(n, tokens, heads, channels // heads).swapaxes(1, 2)


def merge_heads(x):
    """(N, A, T, E) -> (N, T, C)"""
    n, heads, tokens, width = x.shape
    return x.swapaxes(1, 2).reshape(n, tokens, heads * width)

"""The pre-norm transformer of both CLIP encoders (Radford et al. 2021, section 2.4), named as in their checkpoints."""

from __future__ import annotations

from .. import ops
from .layers import LayerNorm, Linear
from .module import Module, chain, residual


class CLIPAttention(Module):
    """Self-attention; if causal, a token attends to itself and earlier tokens only.

    x (N, T, C) -> y (N, T, C)
    """

    def __init__(self, rng, channels, heads, causal):
        self.q_proj = Linear(rng, channels, channels)
        self.k_proj = Linear(rng, channels, channels)
        self.v_proj = Linear(rng, channels, channels)
        self.out_proj = Linear(rng, channels, channels)
        self.heads, self.causal = heads, causal

    def __call__(self, x):
        q, q_back = self.q_proj(x)
        k, k_back = self.k_proj(x)
        v, v_back = self.v_proj(x)
        h, attention_back = ops.attention(q, k, v, heads=self.heads, causal=self.causal)
        y, out_back = self.out_proj(h)

        def backward(dy):
            dq, dk, dv = attention_back(out_back(dy))
            dx = q_back(dq)
            dx += k_back(dk)
            dx += v_back(dv)
            return dx

        return y, backward


class CLIPFeedForward(Module):
    """x (N, T, C) -> y (N, T, C)"""

    def __init__(self, rng, channels, hidden, activation):
        self.fc1 = Linear(rng, channels, hidden)
        self.fc2 = Linear(rng, hidden, channels)
        self.activation = activation

    def __call__(self, x):
        return chain(x, self.fc1, self.activation, self.fc2)


class CLIPLayer(Module):
    """Self-attention, then a feed-forward network, each pre-normalized and residual.

    x (N, T, C) -> y (N, T, C)
    """

    def __init__(self, rng, channels, hidden, heads, activation, eps, causal):
        self.self_attn = CLIPAttention(rng, channels, heads, causal)
        self.layer_norm1 = LayerNorm(channels, eps)
        self.mlp = CLIPFeedForward(rng, channels, hidden, activation)
        self.layer_norm2 = LayerNorm(channels, eps)

    def __call__(self, x):
        h, attention_back = residual(x, self.layer_norm1, self.self_attn)
        y, mlp_back = residual(h, self.layer_norm2, self.mlp)
        return y, lambda dy: attention_back(mlp_back(dy))


class CLIPEncoder(Module):
    """x (N, T, C) -> y (N, T, C)"""

    def __init__(self, rng, config, causal):
        activation = {"quick_gelu": ops.quick_gelu, "gelu": ops.gelu}[config.hidden_act]
        self.layers = [CLIPLayer(rng, config.hidden_size, config.intermediate_size, config.num_attention_heads,
                                 activation, config.layer_norm_eps, causal) for _ in range(config.num_hidden_layers)]

    def __call__(self, x):
        return chain(x, *self.layers)

"""Attention, and the transformer that conditions a UNet on text."""

from __future__ import annotations

from .. import ops
from .layers import Conv2d, GroupNorm, LayerNorm, Linear
from .module import Module, chain, identity, residual


class Attention(Module):
    """Cross-attention: queries from x; keys and values from a context.

    x (N, Q, C), context (N, K, D) -> y (N, Q, C)

    Instead of the context, a dictionary {attention: (keys, values)} can be passed, with what `read` returned for it.
    """

    def __init__(self, rng, channels, context_width, heads, bias=False):
        self.to_q = Linear(rng, channels, channels, bias)
        self.to_k = Linear(rng, context_width, channels, bias)
        self.to_v = Linear(rng, context_width, channels, bias)
        self.to_out = [Linear(rng, channels, channels), identity]
        self.heads = heads

    def read(self, context):
        """The keys and values of a context.

        context (N, K, D) -> (k (N, K, C), v (N, K, C))
        """
        k, k_back = self.to_k(context)
        v, v_back = self.to_v(context)

        def backward(dk, dv):
            dcontext = k_back(dk)
            dcontext += v_back(dv)
            return dcontext

        return (k, v), backward

    def __call__(self, x, context):
        q, q_back = self.to_q(x)
        (k, v), read_back = (context[self], nothing_read) if isinstance(context, dict) else self.read(context)
        h, attention_back = ops.attention(q, k, v, heads=self.heads)
        y, out_back = self.to_out[0](h)

        def backward(dy):
            dq, dk, dv = attention_back(out_back(dy))
            return q_back(dq), read_back(dk, dv)

        return y, backward


def nothing_read(*_):
    raise RuntimeError("no backward pass: keys and values were passed in, not the context that they were read from")


class SelfAttention(Attention):
    """Attention whose context is x itself.

    x (N, T, C) -> y (N, T, C)
    """

    def __init__(self, rng, channels, heads, bias=False):
        super().__init__(rng, channels, channels, heads, bias)

    def __call__(self, x):
        y, back = super().__call__(x, x)

        def backward(dy):
            dx, dcontext = back(dy)
            dx += dcontext
            return dx

        return y, backward


class GEGLU(Module):
    """x (..., I) -> y (..., O)"""

    def __init__(self, rng, inputs, outputs):
        self.proj = Linear(rng, inputs, 2 * outputs)

    def __call__(self, x):
        return chain(x, self.proj, ops.geglu)


class FeedForward(Module):
    """A GEGLU layer four times as wide and a linear one back, applied to each token separately.

    x (..., C) -> y (..., C)
    """

    def __init__(self, rng, channels):
        self.net = [GEGLU(rng, channels, 4 * channels), identity, Linear(rng, 4 * channels, channels)]

    def __call__(self, x):
        return chain(x, *self.net)


class TransformerBlock(Module):
    """Self-attention, cross-attention to the context, feed-forward network; each pre-normalized and residual.

    x (N, T, C), context (N, K, D) -> y (N, T, C)

    Rombach et al. 2022, appendix E.2.1.
    """

    def __init__(self, rng, channels, context_width, heads):
        self.norm1 = LayerNorm(channels)
        self.attn1 = SelfAttention(rng, channels, heads)
        self.norm2 = LayerNorm(channels)
        self.attn2 = Attention(rng, channels, context_width, heads)
        self.norm3 = LayerNorm(channels)
        self.ff = FeedForward(rng, channels)

    def __call__(self, x, context):
        h, self_back = residual(x, self.norm1, self.attn1)
        q, norm2_back = self.norm2(h)
        a, cross_back = self.attn2(q, context)
        a += h
        y, ff_back = residual(a, self.norm3, self.ff)

        def backward(dy):
            da = ff_back(dy)
            dq, dcontext = cross_back(da)
            dh = norm2_back(dq)
            dh += da
            return self_back(dh), dcontext

        return y, backward


class SpatialTransformer(Module):
    """A transformer over the pixels of a feature map, with a residual connection around it.

    x (N, H, W, C), context (N, K, D) -> y (N, H, W, C)
    """

    def __init__(self, rng, channels, context_width, heads, groups, depth=1, linear_projection=False):
        def project():
            return Linear(rng, channels, channels) if linear_projection else Conv2d(rng, channels, channels, kernel=1)

        self.norm = GroupNorm(channels, groups, eps=1e-6)
        self.proj_in = project()
        self.transformer_blocks = [TransformerBlock(rng, channels, context_width, heads) for _ in range(depth)]
        self.proj_out = project()

    def __call__(self, x, context):
        n, height, width, channels = x.shape
        h, in_back = chain(x, self.norm, self.proj_in)
        h = h.reshape(n, height * width, channels)
        backs = []
        for block in self.transformer_blocks:
            h, back = block(h, context)
            backs.append(back)
        y, out_back = self.proj_out(h.reshape(x.shape))
        y += x

        def backward(dy):
            dh = out_back(dy).reshape(n, height * width, channels)
            dcontext = 0.0
            for back in reversed(backs):
                dh, dcontext_part = back(dh)
                dcontext = dcontext + dcontext_part
            dx = in_back(dh.reshape(n, height, width, channels))
            dx += dy
            return dx, dcontext

        return y, backward

"""The UNet that denoises latents, conditioned on a time and a text (Rombach et al. 2022, section 3.3).

The resolution is halved level by level and doubled again; on the way up, skip connections bring in the feature maps of
the way down.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from ..errors import UserError
from ..nn.layers import Conv2d, Downsample, GroupNorm, Linear, Upsample
from ..nn.module import Module, chain
from ..nn.residual import ResBlock
from ..nn.transformer import Attention, SpatialTransformer
from ..ops import concat, silu, sinusoidal_embedding
from .configs import UNetConfig


class UNet2DConditionModel(Module):
    """x (N, H, W, C), timesteps (N), context (N, T, D) -> y (N, H, W, C); timesteps are in [0, 1000].

    Instead of the context, its keys and values can be passed, `*read(context)`, to compute them once for many calls.
    """

    def __init__(self, rng, config: UNetConfig):
        self.config = config
        widths, heads = config.block_out_channels, config.heads
        levels = len(widths)
        self.time_embedding = TimeEmbedding(rng, config)
        self.conv_in = Conv2d(rng, config.in_channels, widths[0])
        self.down_blocks = [
            DownBlock(rng, config, widths[max(level - 1, 0)], widths[level], heads[level],
                      config.down_block_types[level] == "CrossAttnDownBlock2D", last=level == levels - 1)
            for level in range(levels)]
        self.mid_block = MidBlock(rng, config, widths[-1], heads[-1])
        skips = [widths[0]]  # the channels of each skip connection
        for level, width in enumerate(widths):
            skips += [width] * (config.layers_per_block + (level < levels - 1))
        self.up_blocks = [
            UpBlock(rng, config, widths[min(level + 1, levels - 1)],
                    [skips.pop() for _ in range(config.layers_per_block + 1)], widths[level], heads[level],
                    config.up_block_types[levels - 1 - level] == "CrossAttnUpBlock2D", last=level == 0)
            for level in reversed(range(levels))]
        self.conv_norm_out = GroupNorm(widths[0], config.norm_num_groups, config.norm_eps)
        self.conv_out = Conv2d(rng, widths[0], config.out_channels)
        # In a tuple, which named_parameters() does not look into: these attentions already have a name in their block.
        self.cross_attentions = tuple(module for module in self.modules() if type(module) is Attention)

    def read(self, context):
        """The keys and values of every cross-attention.

        context (N, T, D) -> k, v, k, v, ... (N, T, C)
        """
        return [array for attention in self.cross_attentions for array in attention.read(context)[0]]

    def __call__(self, x, timesteps, *context):
        (y, _), backward = self.watched(x, timesteps, *context)
        return y, backward

    def watched(self, x, timesteps, *context, level=None):
        """As a call, but returns (y, h), backward(dy, dh): h (N, P, Q, C) is the feature map of a level behind its last
        block on the way down, or None without a level.
        """
        multiple = 2 ** (len(self.down_blocks) - 1)
        if any(side % multiple for side in x.shape[1:3]):
            raise UserError(f"the UNet takes latents whose sides are multiples of {multiple}, not {x.shape[1]} x "
                            f"{x.shape[2]}: resize the image")
        pairs = zip(context[::2], context[1::2], strict=True)
        context = context[0] if len(context) == 1 else dict(zip(self.cross_attentions, pairs, strict=True))
        time_emb, time_back = self.time_embedding(timesteps, x.dtype)
        h, in_back = self.conv_in(x)
        skips, down_backs, up_backs = [h], [], []
        for block in self.down_blocks:
            h, kept, back = block(h, time_emb, context)
            skips += kept
            down_backs.append(back)
        layers = self.config.layers_per_block
        place = None if level is None else level * (layers + 1) + layers  # it is one of the skip connections
        watched = None if level is None else skips[place]
        h, mid_back = self.mid_block(h, time_emb, context)
        for block in self.up_blocks:
            h, back = block(h, skips, time_emb, context)
            up_backs.append(back)
        y, out_back = chain(h, self.conv_norm_out, silu, self.conv_out)

        def backward(dy, dwatched=None):
            dh, dskips, dtime_emb, dcontext = out_back(dy), [], 0.0, 0.0
            for back in reversed(up_backs):
                dh, dtime_part, dcontext_part = back(dh, dskips)
                dtime_emb, dcontext = dtime_emb + dtime_part, dcontext + dcontext_part
            if dwatched is not None:
                dskips[place] = dskips[place] + dwatched
            dh, dtime_part, dcontext_part = mid_back(dh)
            dtime_emb, dcontext = dtime_emb + dtime_part, dcontext + dcontext_part
            for back in reversed(down_backs):
                dh, dtime_part, dcontext_part = back(dh, dskips)
                dtime_emb, dcontext = dtime_emb + dtime_part, dcontext + dcontext_part
            dx = in_back(dh + dskips.pop())
            return dx, time_back(dtime_emb), dcontext

        return (y, watched), backward


class TimeEmbedding(Module):
    """Sinusoids of the time, in float32 at least (near 1000, float16 has steps of 0.5), then two linear layers.

    t (N) -> y (N, F)
    """

    def __init__(self, rng, config):
        channels = config.block_out_channels[0]
        self.linear_1 = Linear(rng, channels, 4 * channels)
        self.linear_2 = Linear(rng, 4 * channels, 4 * channels)
        self.sinusoids = (channels, config.flip_sin_to_cos, config.freq_shift)

    def __call__(self, t, dtype):
        h, sinusoids_back = sinusoidal_embedding(t.astype(np.promote_types(dtype, np.float32)), *self.sinusoids)
        y, layers_back = chain(h.astype(dtype, copy=False), self.linear_1, silu, self.linear_2)
        return y, lambda dy: sinusoids_back(layers_back(dy))


def _stage(resnet, attention, x, time_emb, context):
    """A residual block, followed on levels with attention by a transformer."""
    h, resnet_back = resnet(x, time_emb)
    if attention is None:
        return h, lambda dy: (*resnet_back(dy), 0.0)
    y, attention_back = attention(h, context)

    def backward(dy):
        dh, dcontext = attention_back(dy)
        return *resnet_back(dh), dcontext

    return y, backward


def _transformers(rng, config, channels, heads, count):
    return [SpatialTransformer(rng, channels, config.cross_attention_dim, heads, config.norm_num_groups,
                               linear_projection=config.use_linear_projection) for _ in range(count)]


class DownBlock(Module):
    """x (N, H, W, I), time_emb (N, F), context (N, T, D) -> y (N, P, Q, O)

    Also returns the skip connections, whose gradients backward pops from `dskips`.
    """

    def __init__(self, rng, config, inputs, outputs, heads, has_attention, last):
        layers = config.layers_per_block
        self.resnets = [ResBlock(rng, inputs if i == 0 else outputs, outputs, config.norm_num_groups, config.norm_eps,
                                 4 * config.block_out_channels[0]) for i in range(layers)]
        self.attentions = _transformers(rng, config, outputs, heads, layers * has_attention)
        self.downsamplers = [] if last else [Downsample(rng, outputs)]

    def __call__(self, x, time_emb, context):
        kept, backs, down_backs = [], [], []
        for resnet, attention in zip_longest(self.resnets, self.attentions):
            x, back = _stage(resnet, attention, x, time_emb, context)
            kept.append(x)
            backs.append(back)
        for downsample in self.downsamplers:
            x, back = downsample(x)
            kept.append(x)
            down_backs.append(back)

        def backward(dh, dskips):
            dtime_emb = dcontext = 0.0
            for back in down_backs:
                dh = back(dh + dskips.pop())
            for back in reversed(backs):
                dh, dtime_part, dcontext_part = back(dh + dskips.pop())
                dtime_emb, dcontext = dtime_emb + dtime_part, dcontext + dcontext_part
            return dh, dtime_emb, dcontext

        return x, kept, backward


class MidBlock(Module):
    """x (N, H, W, C), time_emb (N, F), context (N, T, D) -> y (N, H, W, C)"""

    def __init__(self, rng, config, channels, heads):
        self.resnets = [ResBlock(rng, channels, channels, config.norm_num_groups, config.norm_eps,
                                 4 * config.block_out_channels[0]) for _ in range(2)]
        self.attentions = _transformers(rng, config, channels, heads, 1)

    def __call__(self, x, time_emb, context):
        h, first_back = _stage(self.resnets[0], self.attentions[0], x, time_emb, context)
        y, second_back = self.resnets[1](h, time_emb)

        def backward(dy):
            dh, dtime_second = second_back(dy)
            dx, dtime_emb, dcontext = first_back(dh)
            return dx, dtime_emb + dtime_second, dcontext

        return y, backward


class UpBlock(Module):
    """x (N, H, W, I), skips, time_emb (N, F), context (N, T, D) -> y (N, P, Q, O)

    Twice the resolution, except in the last block. Pops its skip connections from `skips`; backward appends their
    gradients to `dskips`, from which the down blocks pop them in reverse.
    """

    def __init__(self, rng, config, inputs, skips, outputs, heads, has_attention, last):
        self.resnets = [ResBlock(rng, (inputs if i == 0 else outputs) + skip, outputs, config.norm_num_groups,
                                 config.norm_eps, 4 * config.block_out_channels[0]) for i, skip in enumerate(skips)]
        self.attentions = _transformers(rng, config, outputs, heads, len(skips) * has_attention)
        self.upsamplers = [] if last else [Upsample(rng, outputs)]

    def __call__(self, x, skips, time_emb, context):
        backs = []
        for resnet, attention in zip_longest(self.resnets, self.attentions):
            joined, join_back = concat(x, skips.pop())
            x, back = _stage(resnet, attention, joined, time_emb, context)
            backs.append((back, join_back))
        x, up_back = chain(x, *self.upsamplers)

        def backward(dy, dskips):
            dtime_emb = dcontext = 0.0
            dx = up_back(dy)
            for back, join_back in reversed(backs):
                djoined, dtime_part, dcontext_part = back(dx)
                dx, dskip = join_back(djoined)
                dskips.append(dskip)
                dtime_emb, dcontext = dtime_emb + dtime_part, dcontext + dcontext_part
            return dx, dtime_emb, dcontext

        return x, backward

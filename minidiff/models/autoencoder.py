"""The KL autoencoder, which encodes images as smaller latents and decodes them (Rombach et al. 2022, section 3.1)."""

from __future__ import annotations

from ..errors import UserError
from ..nn.layers import Conv2d, Downsample, GroupNorm, Upsample
from ..nn.module import Module, chain
from ..nn.residual import ResBlock
from ..nn.transformer import SelfAttention
from ..ops import silu, split
from .configs import AutoencoderConfig

EPS = 1e-6                         # for every group norm in the autoencoder; the UNet's residual blocks use 1e-5
BOTTOM_RIGHT = ((0, 1), (0, 1))    # the only sides that the encoder pads before halving the resolution
LOGVAR_RANGE = (-30.0, 20.0)


class AutoencoderKL(Module):
    """encode: images -> mean and log-variance of latents; decode: latents -> images.

    Images x (N, H, W, 3) are in [-1, 1]; latents z (N, P, Q, C) are unscaled: diffusion works on
    z · config.scaling_factor, which has about unit variance.
    """

    def __init__(self, rng, config: AutoencoderConfig):
        self.config = config
        self.encoder = Encoder(rng, config)
        self.decoder = Decoder(rng, config)
        self.quant_conv = Conv2d(rng, 2 * config.latent_channels, 2 * config.latent_channels, kernel=1)
        self.post_quant_conv = Conv2d(rng, config.latent_channels, config.latent_channels, kernel=1)

    def encode(self, x):
        """x (N, H, W, 3) -> mean (N, P, Q, C), logvar (N, P, Q, C)"""
        least = self.config.downsampling
        if min(x.shape[1:3]) < least:
            raise UserError(f"an image of {x.shape[1]} x {x.shape[2]} pixels is too small to encode: use one of at "
                            f"least {least} x {least}")
        (mean, logvar), back = chain(x, self.encoder, self.quant_conv, split)
        in_range = (logvar > LOGVAR_RANGE[0]) & (logvar < LOGVAR_RANGE[1])

        def backward(dmean, dlogvar):
            return back((dmean, dlogvar * in_range))

        return (mean, logvar.clip(*LOGVAR_RANGE)), backward

    def decode(self, z):
        """z (N, P, Q, C) -> y (N, H, W, 3)"""
        return chain(z, self.post_quant_conv, self.decoder)


class Encoder(Module):
    """x (N, H, W, 3) -> moments (N, P, Q, 2C)"""

    def __init__(self, rng, config):
        widths = config.block_out_channels
        self.conv_in = Conv2d(rng, config.in_channels, widths[0])
        self.down_blocks = [DownBlock(rng, config, widths[max(level - 1, 0)], width, last=level == len(widths) - 1)
                            for level, width in enumerate(widths)]
        self.mid_block = MidBlock(rng, config, widths[-1])
        self.conv_norm_out = GroupNorm(widths[-1], config.norm_num_groups, EPS)
        self.conv_out = Conv2d(rng, widths[-1], 2 * config.latent_channels)

    def __call__(self, x):
        return chain(x, self.conv_in, *self.down_blocks, self.mid_block, self.conv_norm_out, silu, self.conv_out)


class Decoder(Module):
    """z (N, P, Q, C) -> y (N, H, W, 3)"""

    def __init__(self, rng, config):
        widths = config.block_out_channels[::-1]
        self.conv_in = Conv2d(rng, config.latent_channels, widths[0])
        self.up_blocks = [UpBlock(rng, config, widths[max(level - 1, 0)], width, last=level == len(widths) - 1)
                          for level, width in enumerate(widths)]
        self.mid_block = MidBlock(rng, config, widths[0])
        self.conv_norm_out = GroupNorm(widths[-1], config.norm_num_groups, EPS)
        self.conv_out = Conv2d(rng, widths[-1], config.out_channels)

    def __call__(self, z):
        return chain(z, self.conv_in, self.mid_block, *self.up_blocks, self.conv_norm_out, silu, self.conv_out)


class DownBlock(Module):
    """Residual blocks, then half the resolution except in the last block.

    x (N, H, W, I) -> y (N, P, Q, O)
    """

    def __init__(self, rng, config, inputs, outputs, last):
        self.resnets = [ResBlock(rng, inputs if i == 0 else outputs, outputs, config.norm_num_groups, EPS)
                        for i in range(config.layers_per_block)]
        self.downsamplers = [] if last else [Downsample(rng, outputs, BOTTOM_RIGHT)]

    def __call__(self, x):
        return chain(x, *self.resnets, *self.downsamplers)


class UpBlock(Module):
    """Residual blocks, one more than in a DownBlock, then twice the resolution except in the last block.

    x (N, H, W, I) -> y (N, P, Q, O)
    """

    def __init__(self, rng, config, inputs, outputs, last):
        self.resnets = [ResBlock(rng, inputs if i == 0 else outputs, outputs, config.norm_num_groups, EPS)
                        for i in range(config.layers_per_block + 1)]
        self.upsamplers = [] if last else [Upsample(rng, outputs)]

    def __call__(self, x):
        return chain(x, *self.resnets, *self.upsamplers)


class MidBlock(Module):
    """x (N, H, W, C) -> y (N, H, W, C)"""

    def __init__(self, rng, config, channels):
        self.attentions = ([PixelAttention(rng, channels, config.norm_num_groups)]
                           if config.mid_block_add_attention else [])
        self.resnets = [ResBlock(rng, channels, channels, config.norm_num_groups, EPS) for _ in range(2)]

    def __call__(self, x):
        return chain(x, self.resnets[0], *self.attentions, self.resnets[1])


class PixelAttention(SelfAttention):
    """x + self-attention over all pixels, with one head.

    x (N, H, W, C) -> y (N, H, W, C)
    """

    def __init__(self, rng, channels, groups):
        super().__init__(rng, channels, heads=1, bias=True)
        self.group_norm = GroupNorm(channels, groups, EPS)

    def __call__(self, x):
        n, height, width, channels = x.shape
        h, norm_back = self.group_norm(x)
        h, attention_back = super().__call__(h.reshape(n, height * width, channels))
        y = x + h.reshape(x.shape)
        shape, tokens = x.shape, h.shape

        def backward(dy):
            return dy + norm_back(attention_back(dy.reshape(tokens)).reshape(shape))

        return y, backward

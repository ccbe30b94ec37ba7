"""The first stage: an autoencoder learns to encode images as small latents, and to decode them again."""

from __future__ import annotations

from .. import ops
from ..backend import array_module, random_stream
from ..data.purposes import Purpose
from ..data.source import Source
from ..data.sources import open_source
from ..models.autoencoder import AutoencoderKL
from ..models.configs import AutoencoderConfig
from .presets import Settings
from .workers import Workers

INITIAL_LOGVAR = -6.0


def reconstruction_loss(model, images, noise, settings):
    """loss = a · mean |y − x| + b · mean (y − x)² + c · KL(q(z|x) ‖ N(0, 1)), y = decode(mean + std · noise).

    images (N, H, W, 3), noise (N, P, Q, C) -> losses, backward

    Rombach et al. 2022, appendix G, without the adversary and the perceptual loss. backward(fraction) scales the
    gradient by that factor.
    """
    xp = array_module(images)
    (mean, logvar), encode_back = model.encode(images)
    std = xp.exp(0.5 * logvar)
    y, decode_back = model.decode(mean + std * noise)
    l1, l1_back = ops.l1(y, images)
    mse, mse_back = ops.mse(y, images)
    kl, kl_back = ops.kl_standard_normal(mean, logvar)
    loss = settings.l1_weight * l1 + settings.mse_weight * mse + settings.kl_weight * kl

    def backward(fraction):
        dy = l1_back(fraction * settings.l1_weight)[0] + mse_back(fraction * settings.mse_weight)[0]
        dz = decode_back(dy)
        dmean, dlogvar = kl_back(fraction * settings.kl_weight)
        encode_back(dmean + dz, dlogvar + dz * noise * std * 0.5)

    return {"loss": loss, "mse": mse, "kl": kl}, backward


class AutoencoderTraining:
    """Step i depends on the parameters and on i alone: its images and its noise come from random streams keyed by i."""

    name = "autoencoder"
    recordable = True

    def __init__(self, settings: Settings, device: str = "cpu", source: Source | None = None):
        self.settings, self.device, self.source = settings, device, source or open_source(settings)
        self.model = AutoencoderKL(random_stream(settings.seed, Purpose.AUTOENCODER), autoencoder_config(settings))
        # Start with little noise in the latents: a variance of 1 took the first thousand steps to unlearn.
        self.model.quant_conv.bias.value[settings.autoencoder.latent_channels :] = INITIAL_LOGVAR
        self.models = [self.model]

    def draw(self, index: int) -> tuple:
        """The images and the noise of batch `index`."""
        images = self.source.training_batch(index, self.settings.train_autoencoder.batch_size).images
        shape = latent_shape(self.model.config, images)
        rng = random_stream(self.settings.seed, Purpose.LATENT_NOISE, index)
        return images, rng.standard_normal(shape, dtype="float32")

    def step(self, workers: Workers, fraction: float, images, noise) -> dict:
        """The losses of a batch; adds its gradient times `fraction`."""
        return workers.learn(fraction, images, noise)

    def learn(self, fraction: float, images, noise) -> dict:
        """The losses of one worker's part of a batch; adds its gradient times `fraction`."""
        losses, backward = reconstruction_loss(self.model, images, noise, self.settings.autoencoder)
        backward(fraction)
        return losses


def autoencoder_config(settings: Settings) -> AutoencoderConfig:
    own = settings.autoencoder
    return AutoencoderConfig(
        block_out_channels=own.block_out_channels, layers_per_block=own.layers_per_block,
        latent_channels=own.latent_channels, norm_num_groups=own.norm_num_groups, sample_size=settings.size,
        mid_block_add_attention=own.mid_block_add_attention, scaling_factor=1.0)


def latent_shape(config: AutoencoderConfig, images) -> tuple[int, int, int, int]:
    """(N, P, Q, C) of the latents of images (N, H, W, 3)"""
    n, height, width, _ = images.shape
    return n, height // config.downsampling, width // config.downsampling, config.latent_channels

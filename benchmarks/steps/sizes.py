"""The training runs whose steps are timed: presets of minidiff, the shipped model, and a wider one."""

from __future__ import annotations

from dataclasses import replace

from minidiff.training.presets import (
    PRESETS,
    AutoencoderSettings,
    ImageSettings,
    Settings,
    StageSettings,
    TextSettings,
    UNetSettings,
)


def batch_of_32(settings: Settings) -> Settings:
    """The preset with the batch size of the diffusion stage at which steps have always been compared, without
    alignment, which only the first steps have, and with the whole text encoder, as the shipped model.
    """
    return replace(settings, diffusion=replace(settings.diffusion, alignment=0.0, clip_skip=0),
                   train_diffusion=replace(settings.train_diffusion, batch_size=32))


TINY = batch_of_32(PRESETS["tiny"])

SMALL = replace(  # the shipped model
    batch_of_32(PRESETS["small"]), autoencoder=AutoencoderSettings(block_out_channels=(16, 16, 32)),
    unet=UNetSettings(block_out_channels=(32, 64, 128), norm_num_groups=16))

MEDIUM = replace(  # a UNet of about 10 M parameters on latents of 16 x 16
    SMALL,
    autoencoder=AutoencoderSettings(block_out_channels=(32, 64, 128), norm_num_groups=16),
    text=TextSettings(hidden_size=192, num_hidden_layers=4),
    image=ImageSettings(hidden_size=192, num_hidden_layers=4),
    unet=UNetSettings(block_out_channels=(64, 128, 192), norm_num_groups=16))

LARGE = replace(  # a UNet of about 100 M parameters on latents of 32 x 32
    MEDIUM, size=128, unet=UNetSettings(block_out_channels=(160, 320, 480), layers_per_block=2, attention_head_dim=8,
                                        norm_num_groups=32),
    train_diffusion=replace(MEDIUM.train_diffusion, batch_size=64))

SMOKE = Settings(  # to try the benchmark itself
    size=16,
    autoencoder=AutoencoderSettings(block_out_channels=(8, 16), latent_channels=4),
    text=TextSettings(hidden_size=16, num_hidden_layers=1),
    image=ImageSettings(hidden_size=16, num_hidden_layers=1),
    unet=UNetSettings(block_out_channels=(16, 32), attention_levels=(False, True), norm_num_groups=8),
    train_autoencoder=StageSettings(100, 4, 1e-3, 1.0), train_contrastive=StageSettings(100, 4, 1e-3, 1.0),
    train_diffusion=StageSettings(100, 4, 1e-3, 1.0))

SIZES = {"smoke": SMOKE, "tiny": TINY, "small": SMALL, "medium": MEDIUM, "large": LARGE}

"""Whether the sizes of a run's models fit each other and its images, asked before any work."""

from __future__ import annotations

from ..errors import UserError
from ..tokenizer import MIN_VOCAB_SIZE, Tokenizer
from .autoencoder import autoencoder_config
from .contrastive import clip_config
from .diffusion import unet_config
from .presets import Settings


def check_fit(settings: Settings) -> None:
    """Raises UserError for settings of which a later stage could not make its model."""
    levels = len(settings.autoencoder.block_out_channels)
    autoencoder_config(settings)
    clip_config(settings, Tokenizer([], settings.text.max_length))
    unet_config(settings, settings.text.hidden_size)
    multiple = 2 ** (levels + len(settings.unet.block_out_channels) - 2)
    if settings.size % multiple:
        raise UserError(f"size {settings.size} cannot be halved by {levels} levels of the autoencoder and "
                        f"{len(settings.unet.block_out_channels)} of the UNet: use a multiple of {multiple}")
    if settings.text.vocab_size < MIN_VOCAB_SIZE:
        raise UserError(f"text.vocab_size {settings.text.vocab_size} leaves no room for all bytes: use "
                        f"{MIN_VOCAB_SIZE} or more")

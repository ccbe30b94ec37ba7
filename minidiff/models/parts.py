"""What the parts of a pipeline have to agree on, checked from their configurations: before any weights are read."""

from __future__ import annotations

from ..errors import UserError
from .configs import AutoencoderConfig, TextConfig, UNetConfig
from .unet_inputs import check_inputs


def check_parts(unet: UNetConfig, vae: AutoencoderConfig, text_encoder: TextConfig, tokens: int, length: int) -> None:
    """Raises UserError unless these fit each other, and a tokenizer of so many tokens that reads texts of a length.

    An encoder may know more tokens than its tokenizer has: some round up the height of their table of embeddings.
    """
    check_inputs(unet)
    latents, context = vae.latent_channels, text_encoder.hidden_size
    for what, own, other in (
            ("the UNet predicts {} channels, the autoencoder's latents have {}", unet.out_channels, latents),
            ("the UNet reads texts of width {}, the text encoder's have {}", unet.cross_attention_dim, context)):
        if own != other:
            raise UserError(f"{what.format(own, other)}: use parts of the same model")
    for what, own, other in (
            ("the tokenizer has {} tokens, the text encoder knows {}", tokens, text_encoder.vocab_size),
            ("the tokenizer gives {} tokens per text, the text encoder reads {}", length,
             text_encoder.max_position_embeddings)):
        if own > other:
            raise UserError(f"{what.format(own, other)}: use parts of the same model")

"""What a UNet reads: noisy latents alone, or also what some models are told of an image."""

from __future__ import annotations

from ..errors import UserError
from .configs import UNetConfig

OTHERS = {5: "a depth map (depth2img)", 7: "a small image to enlarge (x4-upscaler)",
          8: "an image to edit (instruct-pix2pix)"}  # input channels where latents have four


def is_for_inpainting(config: UNetConfig) -> bool:
    """Whether it reads noisy latents, a mask, and the latents of the image without its masked part."""
    return config.in_channels == 2 * config.out_channels + 1


def check_inputs(config: UNetConfig) -> None:
    """Raises UserError, naming the kind of model, unless it draws from texts or inpaints."""
    if config.in_channels != config.out_channels and not is_for_inpainting(config):
        what = OTHERS.get(config.in_channels, "something else")
        raise UserError(f"this UNet reads {config.in_channels} channels, {config.out_channels} of latents and {what}, "
                        "which is not supported: use a model of text to image or of inpainting")

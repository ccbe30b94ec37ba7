"""What grows in a diffusion step, one at a time: samples, channels, pixels, tokens of a caption, images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from minidiff.training.diffusion import DiffusionTraining
from minidiff.training.presets import Settings

from ..steps.sizes import SIZES
from ..steps.stages import diffusion


class Growth(NamedTuple):
    grown: Callable[[Settings, float], Settings]
    factors: tuple[float, ...]
    memory: float  # the exponent with which memory may grow: channels are those of both sides of a weight


def batch(settings: Settings, factor: float) -> Settings:
    own = settings.train_diffusion
    return replace(settings, train_diffusion=replace(own, batch_size=int(factor * own.batch_size)))


def channels(settings: Settings, factor: float) -> Settings:
    widths = tuple(int(factor * width) for width in settings.unet.block_out_channels)
    return replace(settings, unet=replace(settings.unet, block_out_channels=widths))


def pixels(settings: Settings, factor: float) -> Settings:
    """`factor` times as many pixels: images √factor times as high and wide, so factors are powers of 4."""
    return replace(settings, size=int(factor**0.5 * settings.size))


def tokens(settings: Settings, factor: float) -> Settings:
    return replace(settings, text=replace(settings.text, max_length=int(factor * settings.text.max_length)))


def images(settings: Settings, factor: float) -> Settings:
    own = settings.diffusion
    return replace(settings, diffusion=replace(own, latents=int(factor * own.latents)))


GROWTH = {"batch": Growth(batch, (0.5, 1, 2, 4), 1), "channels": Growth(channels, (0.5, 1, 2), 2),
          "pixels": Growth(pixels, (0.25, 1, 4), 1), "tokens": Growth(tokens, (1, 2, 4, 8), 1),
          "images": Growth(images, (1 / 16, 1 / 4, 1), 1)}


def stage_at(size: str, name: str, factor: float) -> DiffusionTraining:
    """The stage at one point of a growth; only where images grow there are as many as a training has."""
    settings = GROWTH[name].grown(SIZES[size], factor)
    return diffusion(settings, latents=settings.diffusion.latents if name == "images" else 200)

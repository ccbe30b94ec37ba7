"""The sources of training data by name."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import UserError
from ..reading import absolute
from .buckets import bucket_shapes
from .emoji_source import EmojiCache, EmojiSource
from .folder_source import FolderSource, cached_shape, cached_size
from .image_cache import ImageCache
from .scene_source import SceneSource
from .source import Source

SCENES = "scenes"
EMOJI = "emoji:"  # before the path of a folder that `minidiff data emoji` made


def kind_of(source: str) -> str:
    """"scenes", "emoji" or, of any captioned images, "images"."""
    return source if source == SCENES else "emoji" if source.startswith(EMOJI) else "images"


def full_name(source: str) -> str:
    """The name of a source with an absolute path. Raises UserError if there is no such place."""
    if source == SCENES:
        return source
    prefix = EMOJI if source.startswith(EMOJI) else ""
    return prefix + str(absolute(source.removeprefix(EMOJI)))


def open_source(settings, cache: Path | None = None) -> Source:
    """The source that the settings name; a person's own images are read from the folder `cache`."""
    own = settings.data
    if kind_of(own.source) == SCENES:
        return SceneSource(settings.size, settings.seed, settings.diffusion.latents, own.free_wording)
    if cache is None:
        raise UserError(f"{own.source} can only be trained on in a run, which has a folder for its images")
    if kind_of(own.source) == "emoji":
        emoji = EmojiCache(cache, Path(own.source.removeprefix(EMOJI)), settings.size)
        return EmojiSource(emoji, settings.size, settings.seed, settings.diffusion.latents, own.free_wording)
    shapes = bucket_shapes(settings.size, side_multiple(settings)) if own.buckets else []
    images = ImageCache(cache, Path(own.source), cached_size(settings.size, own.crop), own.caption_column,
                        own.caption_template, [cached_shape(shape, own.crop) for shape in shapes])
    return FolderSource(images, settings.size, settings.seed, own.crop, own.flip, own.shuffle_tags,
                        own.held_out_fraction, shapes)


def side_multiple(settings) -> int:
    """What the sides of images must be a multiple of: the autoencoder and the UNet halve them."""
    halvings = len(settings.autoencoder.block_out_channels) + len(settings.unet.block_out_channels) - 2
    return math.lcm(8, 2**halvings)

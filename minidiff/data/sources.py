"""The sources of training data by name."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import UserError
from .buckets import bucket_shapes
from .folder_source import FolderSource, cached_shape, cached_size
from .image_cache import ImageCache
from .scene_source import SceneSource
from .source import Source

SCENES = "scenes"


def open_source(settings, cache: Path | None = None) -> Source:
    """The source that the settings name; a person's own images are read from the folder `cache`."""
    own = settings.data
    if own.source == SCENES:
        return SceneSource(settings.size, settings.seed, settings.diffusion.latents)
    if cache is None:
        raise UserError(f"{own.source} can only be trained on in a run, which has a folder for its images")
    shapes = bucket_shapes(settings.size, side_multiple(settings)) if own.buckets else []
    images = ImageCache(cache, Path(own.source), cached_size(settings.size, own.crop), own.caption_column,
                        own.caption_template, [cached_shape(shape, own.crop) for shape in shapes])
    return FolderSource(images, settings.size, settings.seed, own.crop, own.flip, own.shuffle_tags,
                        own.held_out_fraction, shapes)


def side_multiple(settings) -> int:
    """What the sides of images must be a multiple of: the autoencoder and the UNet halve them."""
    halvings = len(settings.autoencoder.block_out_channels) + len(settings.unet.block_out_channels) - 2
    return math.lcm(8, 2**halvings)

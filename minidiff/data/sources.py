"""The sources of training data by name."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from .folder_source import FolderSource, cached_size
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
    images = ImageCache(cache, Path(own.source), cached_size(settings.size, own.crop), own.caption_column,
                        own.caption_template)
    return FolderSource(images, settings.size, settings.seed, own.crop, own.flip, own.shuffle_tags,
                        own.held_out_fraction)

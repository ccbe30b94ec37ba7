"""The sources of training data by name."""

from __future__ import annotations

from .scene_source import SceneSource
from .source import Source


def open_source(settings) -> Source:
    """The source that the settings name."""
    return SceneSource(settings.size, settings.seed, settings.diffusion.latents)

"""The built-in scene that a prompt asks for: a judge can read its image, and true ones can be drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.scene_captions import WORDS, parse_caption
from ..data.scenes import BACKGROUNDS, Scene, lay_out
from ..tokenizer import BASE, Tokenizer
from ..tokenizer.words import END_OF_WORD


def scene_of(prompt: str, tokenizer: Tokenizer) -> Scene | None:
    """None if the prompt is no caption of a scene, and of a model that has learned other words than those of scenes:
    its red heart may be an emoji, or the photo of one."""
    return parse_caption(prompt) if reads_scenes(tokenizer) else None


def true_scenes(rng: np.random.Generator, scene: Scene, count: int) -> list[Scene]:
    """Scenes that its caption fits: new layouts, and backgrounds in turns unless the caption names one."""
    grounds = [scene.background] if scene.names_background else list(BACKGROUNDS)
    return [lay_out(rng, replace(scene, background=grounds[i % len(grounds)])) for i in range(count)]


def reads_scenes(tokenizer: Tokenizer) -> bool:
    """Whether all that a tokenizer has merged occurs in the words of scenes."""
    merged = [token for token in tokenizer.tokens if token not in BASE and not token.startswith("<|")]
    marked = "".join(f"{word}{END_OF_WORD} " for word in WORDS)
    return bool(merged) and all(token in marked for token in merged)

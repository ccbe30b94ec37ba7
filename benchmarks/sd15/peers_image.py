"""The same image by diffusers' pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..generate.peers import image_from, opened
from .image import OPTIONS, PROMPT


def image_of(folder: Path, noise: np.ndarray, runtime: str) -> Callable[[], np.ndarray]:
    pipe = opened(folder, runtime.removeprefix("PyTorch"))
    return lambda: image_from(pipe, PROMPT, noise, OPTIONS)

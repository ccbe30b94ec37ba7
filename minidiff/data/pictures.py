"""Between Pillow's pictures and arrays. Size is always (height, width)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import UserError


def to_pillow(pictures: np.ndarray) -> list[Image.Image]:
    """float (N, H, W, 3), cut to [-1, 1] -> N pictures, rounded."""
    pixels = ((np.clip(pictures, -1.0, 1.0) + 1.0) * 127.5).round().astype(np.uint8)
    return [Image.fromarray(picture) for picture in pixels]


def as_picture(picture: Image.Image | np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture as float32 (H, W, 3) in [-1, 1], scaled to `size` if one is given.

    Arrays are uint8 (H, W, 3), or float in [-1, 1]. Raises UserError for other shapes and values.
    """
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size or not _within(picture, -1, 1):
            raise UserError("a picture as an array is (H, W, 3), uint8 or float in [-1, 1]; this one is "
                            f"{picture.dtype} {picture.shape}")
        if picture.dtype != np.uint8 and size in (None, picture.shape[:2]):
            return picture.astype(np.float32)
        picture = Image.fromarray(picture) if picture.dtype == np.uint8 else to_pillow(picture[None])[0]
    pixels = np.asarray(_scaled(picture.convert("RGB"), size), np.float32)
    return pixels / np.float32(127.5) - np.float32(1)


def as_mask(mask: Image.Image | np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """A mask as float32 (H, W, 1): 1 (white) is painted anew, 0 (black) is kept; scaled to `size` if one is given.

    Arrays are (H, W): uint8 to 255, bool, or float in [0, 1]. Raises UserError for other shapes and values.
    """
    if isinstance(mask, np.ndarray):
        if mask.ndim != 2 or not mask.size or not _within(mask, 0, 1):
            raise UserError("a mask as an array is (H, W): uint8 to 255, bool, or float in [0, 1]; this one is "
                            f"{mask.dtype} {mask.shape}")
        mask = Image.fromarray(mask if mask.dtype == np.uint8 else (mask * 255.0).round().astype(np.uint8))
    return np.asarray(_scaled(mask.convert("L"), size), np.float32)[..., None] / np.float32(255)


def latent_mask(mask: np.ndarray, factor: int) -> np.ndarray:
    """The largest value in each block of factor x factor: a latent that has a part in what is painted is painted.

    mask (H, W, 1) -> y (P, Q, 1)
    """
    height, width, _ = mask.shape
    return mask.reshape(height // factor, factor, width // factor, factor, 1).max(axis=(1, 3))


def _scaled(picture, size):
    if size is None or picture.size == size[::-1]:
        return picture
    return picture.resize(size[::-1], Image.Resampling.LANCZOS)


def _within(array, low, high):
    if array.dtype in (np.uint8, bool):
        return True
    return array.dtype.kind == "f" and low <= array.min() and array.max() <= high

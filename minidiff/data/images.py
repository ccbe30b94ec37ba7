"""Conversions between Pillow images and arrays. Sizes are (height, width)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import UserError


def to_pillow(images: np.ndarray) -> list[Image.Image]:
    """Float images (N, H, W, 3), clipped to [-1, 1] -> N Pillow images, rounded to 8 bits."""
    pixels = ((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).round().astype(np.uint8)
    return [Image.fromarray(image) for image in pixels]


def as_image(image: Image.Image | np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """An image as float32 (H, W, 3) in [-1, 1], scaled to `size` if one is given.

    Arrays are uint8 (H, W, 3), or float in [-1, 1]. Raises UserError for other shapes and values.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or not image.size or not _within(image, -1, 1):
            raise UserError("an image array must be (H, W, 3), uint8 or float in [-1, 1]; this one is "
                            f"{image.dtype} {image.shape}")
        if image.dtype != np.uint8 and size in (None, image.shape[:2]):
            return image.astype(np.float32)
        image = Image.fromarray(image) if image.dtype == np.uint8 else to_pillow(image[None])[0]
    pixels = np.asarray(_scaled(image.convert("RGB"), size), np.float32)
    return pixels / np.float32(127.5) - np.float32(1)


def as_mask(mask: Image.Image | np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """A mask as float32 (H, W, 1): 1 (white) is repainted, 0 (black) is kept; scaled to `size` if one is given.

    Arrays are (H, W): uint8 in [0, 255], bool, or float in [0, 1]. Raises UserError for other shapes and values.
    """
    if isinstance(mask, np.ndarray):
        if mask.ndim != 2 or not mask.size or not _within(mask, 0, 1):
            raise UserError("a mask array must be (H, W), uint8, bool, or float in [0, 1]; this one is "
                            f"{mask.dtype} {mask.shape}")
        mask = Image.fromarray(mask if mask.dtype == np.uint8 else (mask * 255.0).round().astype(np.uint8))
    return np.asarray(_scaled(mask.convert("L"), size), np.float32)[..., None] / np.float32(255)


def latent_mask(mask: np.ndarray, factor: int) -> np.ndarray:
    """The maximum over each factor x factor block: a latent pixel that covers any repainted pixel is repainted.

    mask (H, W, 1) -> y (P, Q, 1)
    """
    height, width, _ = mask.shape
    return mask.reshape(height // factor, factor, width // factor, factor, 1).max(axis=(1, 3))


def _scaled(image, size):
    if size is None or image.size == size[::-1]:
        return image
    return image.resize(size[::-1], Image.Resampling.LANCZOS)


def _within(array, low, high):
    if array.dtype in (np.uint8, bool):
        return True
    return array.dtype.kind == "f" and low <= array.min() and array.max() <= high


def at_once(count: int, size: int) -> int:
    """How many images of `size` x `size` pixels to compute at once: as many pixels as `count` of 64 x 64 have."""
    return max(1, min(count, count * 64**2 // size**2))

"""Conversions between images from outside, Pillow images and arrays. Sizes are (height, width).

What an image of another mode, depth or orientation is turned into, is the rule of reading/decode.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import UserError
from .reading.decode import as_rgb, check_sides, opened, short_reasons

ImageLike = Image.Image | np.ndarray | str | Path
BYTES = (np.uint8, np.uint16)


def bytes_of(images: np.ndarray) -> np.ndarray:
    """Float images, any number, clipped to [-1, 1] -> uint8 of the same shape."""
    return ((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).round().astype(np.uint8)


def to_pillow(images: np.ndarray) -> list[Image.Image]:
    """Float images (N, H, W, 3), clipped to [-1, 1] -> N Pillow images, rounded to 8 bits."""
    return [Image.fromarray(image) for image in bytes_of(images)]


def open_image(path: str | Path) -> Image.Image:
    """The image in a file as `as_rgb` has it: 8-bit RGB, upright, on white. Raises UserError if it cannot be read."""
    path = Path(path)
    try:
        with short_reasons():
            if path.exists() and not path.is_file():
                raise UserError("not a file")
            with opened(path) as image:
                check_sides(image.size)
                return as_rgb(image)
    except UserError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        advice = "scale it down" if "too large" in str(reason) else "give an image file, such as .png or .jpg"
        raise UserError(f"cannot read {path}: {reason}; {advice}") from error


def decoded(image: ImageLike, what: str = "an image") -> Image.Image | np.ndarray:
    """An image of any kind as RGB of 8 bits, upright, on white; an array of floats (H, W, 3) as it is.

    An image is a Pillow image of any mode, the name of a file, or an array: uint8 or uint16 (H, W, 3) or, with
    transparency, (H, W, 4), or float (H, W, 3) in [-1, 1]. Raises UserError for everything else.
    """
    if isinstance(image, str | Path):
        return open_image(image)
    if isinstance(image, Image.Image):
        try:
            return as_rgb(image)
        except UserError as error:
            raise UserError(f"{what} cannot be read ({error}): give another one") from error
    if not isinstance(image, np.ndarray):
        raise UserError(f"{what} is a {type(image).__name__}: give a Pillow image, an array, or the name of a file")
    if image.ndim == 3 and image.size and image.shape[2] in (3, 4) and image.dtype in BYTES:
        return as_rgb(Image.fromarray(_bytes(image)))
    if image.ndim == 3 and image.size and image.shape[2] == 3 and _within(image, -1, 1):
        return image
    raise UserError("an image array must be (H, W, 3), uint8, uint16 or float in [-1, 1]; this one is "
                    f"{image.dtype} {image.shape}")


def as_image(image: ImageLike, size: tuple[int, int] | None = None) -> np.ndarray:
    """An image of any kind (see `decoded`) as float32 (H, W, 3) in [-1, 1], fitted to `size` if one is given.

    It is scaled to cover the size, and its middle is kept, as in training.
    """
    image = decoded(image)
    if isinstance(image, np.ndarray):
        if size in (None, image.shape[:2]):
            return image.astype(np.float32)
        image = to_pillow(image[None])[0]
    return np.asarray(_fitted(image, size), np.float32) / np.float32(127.5) - np.float32(1)


def decoded_mask(mask: ImageLike) -> Image.Image:
    """A mask of any kind as a gray image of 8 bits.

    A mask is a Pillow image or a file, of any kind, whose transparent pixels count as white, or an array (H, W): uint8,
    uint16, bool, or float in [0, 1]. Raises UserError for everything else.
    """
    if isinstance(mask, np.ndarray):
        if mask.ndim != 2 or not mask.size or not (mask.dtype in (*BYTES, bool) or _within(mask, 0, 1)):
            raise UserError("a mask array must be (H, W), uint8, uint16, bool, or float in [0, 1]; this one is "
                            f"{mask.dtype} {mask.shape}")
        return Image.fromarray(_bytes(mask) if mask.dtype in BYTES else (mask * 255.0).round().astype(np.uint8))
    return decoded(mask, "the mask").convert("L")


def as_mask(mask: ImageLike, size: tuple[int, int] | None = None) -> np.ndarray:
    """A mask (see `decoded_mask`) as float32 (H, W, 1): 1 (white) is repainted, 0 (black) is kept; fitted to `size`."""
    return fitted_mask(decoded_mask(mask), size)


def fitted_mask(mask: Image.Image, size: tuple[int, int] | None) -> np.ndarray:
    return np.asarray(_fitted(mask, size), np.float32)[..., None] / np.float32(255)


def height_and_width(image: Image.Image | np.ndarray) -> tuple[int, int]:
    return image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]


def latent_mask(mask: np.ndarray, factor: int) -> np.ndarray:
    """The maximum over each factor x factor block: a latent pixel that covers any repainted pixel is repainted.

    mask (H, W, 1) -> y (P, Q, 1)
    """
    height, width, _ = mask.shape
    return mask.reshape(height // factor, factor, width // factor, factor, 1).max(axis=(1, 3))


def _fitted(image, size):
    if size is None or image.size == size[::-1]:
        return image
    return ImageOps.fit(image, size[::-1], Image.Resampling.LANCZOS)


def _bytes(array):
    return array if array.dtype == np.uint8 else (array / 257.0).round().astype(np.uint8)


def _within(array, low, high):
    return array.dtype.kind == "f" and low <= array.min() and array.max() <= high


def at_once(count: int, size: int) -> int:
    """How many images of `size` x `size` pixels to compute at once: as many pixels as `count` of 64 x 64 have."""
    return max(1, min(count, count * 64**2 // size**2))

"""One rule for every image from outside, of training or to start drawing from: 8-bit RGB, upright, on white.

Transparency is composited on white, animations show their first frame, EXIF orientation is applied, colour profiles are
ignored. Gray images of 16 bits are scaled from 0-65535; those of 32 bits, whose unit is unknown, from their own range.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ...errors import UserError

SMALLEST = 8                # pixels of a side
LARGEST = 100_000_000       # pixels of an image
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")  # EPS, say, would run Ghostscript
BLOCK = 1 << 20             # values that are converted at once, as float64
PNG_BITS = "png bits"       # where an image that was opened here has the bits of a value in its file
ORIENTATION = 0x0112        # the EXIF tag, and how each of its values is turned upright
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}

warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file is said once, by its reason


def decode(data: bytes | np.ndarray, at_least: int | None = None, alpha: bool = False) -> Image.Image:
    """The RGB image in the bytes of a file, or of uint8 (H, W, 3); with `alpha` RGBA, neither on white nor scaled.

    With `at_least`, a large image is scaled down by a whole number, as long as both sides keep that many pixels: a JPEG
    while it is decoded, others before most conversions, which would copy all pixels. Raises UserError, with a short
    reason, if the image cannot be used.
    """
    if isinstance(data, np.ndarray):
        check_size(data.shape[1::-1])
        return Image.fromarray(data).convert("RGBA" if alpha else "RGB")
    with short_reasons():
        image = opened(data)
        check_size(image.size)
        if alpha:
            return as_rgba(image)
        if at_least:
            image.draft(None, (at_least, at_least))
        return as_rgb(image, at_least)


def check_size(size: tuple[int, int]) -> None:
    width, height = size
    if min(size) < SMALLEST:
        raise UserError(f"{width} x {height} pixels: too small")
    if width * height > LARGEST:
        raise UserError(f"{width} x {height} pixels: too large")


def opened(file: bytes | Path) -> Image.Image:
    """The image in the bytes of a file, or in a file, of one of FORMATS, of which only the header is read."""
    if not file:
        raise UserError("empty")
    Image.init()
    image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file,
                       formats=[name for name in FORMATS if name in Image.OPEN])
    if image.format == "PNG":
        image.info[PNG_BITS] = _png_bits(file)
    return image


def _png_bits(file):
    """The bits of a value in a PNG file, from its header."""
    if isinstance(file, bytes):
        return file[24]
    with open(file, "rb") as stream:
        return stream.read(25)[24]


def as_rgb(image: Image.Image, at_least: int | None = None) -> Image.Image:
    """A Pillow image of any mode, by the rule; with `at_least`, scaled down by a whole number (see `decode`).

    Raises UserError, with a short reason, if it cannot be decoded.
    """
    with short_reasons():
        image.load()
        turn = TURNS.get(_orientation(image))
        image = _eight_bits(image)
        if at_least and min(image.size) >= 2 * at_least:
            image = image.reduce(min(image.size) // at_least)
        image = _on_white(image)
        return image if turn is None else image.transpose(turn)


def as_rgba(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode with its transparency, which `as_rgb` puts on white."""
    with short_reasons():
        image.load()
        turn = TURNS.get(_orientation(image))
        image = _eight_bits(image).convert("RGBA")
        return image if turn is None else image.transpose(turn)


@contextmanager
def short_reasons() -> Iterator[None]:
    """Whatever is raised inside becomes a UserError: on damaged files, Pillow's plugins raise nearly all there are."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise UserError(_reason(error)) from error


def _orientation(image):
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # a damaged EXIF block leaves the image usable
        return None


def _eight_bits(image):
    """An image of any mode as one of 8 bits whose values can be averaged: without a palette or a transparent colour."""
    image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode]) if image.mode in ("La", "RGBa") else image
    transparent = image.info.get("transparency")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        sixteen_bits = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
        gray = Image.fromarray(_scaled(values, sixteen_bits))
        if transparent is not None:
            gray.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
        return gray
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    if image.mode != "P" and transparent is not None:
        image = image.copy()
        image.info["transparency"] = _as_pixels_are(transparent, image.info.get(PNG_BITS, 8))
    if image.mode in ("P", "PA") or transparent is not None:
        return image.convert("RGBA")
    return image.convert("L") if image.mode == "1" else image


def _as_pixels_are(colour, bits):
    """PNG's transparent colour, which Pillow leaves as it is in the file while it makes the pixels 8 bits wide."""
    if isinstance(colour, tuple):
        return tuple(_as_pixels_are(value, bits) for value in colour)
    return colour >> bits - 8 if bits > 8 else colour * 255 // (2**bits - 1)


def _scaled(values, sixteen_bits):
    """Gray values of 16 or 32 bits as uint8."""
    finite = np.array([0, 65535]) if sixteen_bits else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    flat, scaled = values.ravel(), np.empty(values.size, np.uint8)
    for start in range(0, flat.size, BLOCK):
        block = np.nan_to_num(flat[start:start + BLOCK], nan=low, posinf=high, neginf=low).astype(np.float64)
        scaled[start:start + BLOCK] = ((block - low) * (255.0 / ((high - low) or 1.0))).round()
    return scaled.reshape(values.shape)


def _on_white(image):
    if image.mode == "LA":
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image.convert("RGB")
    rgb = Image.new("RGB", image.size, "white")
    rgb.paste(image, mask=image)
    return rgb


def _reason(error):
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels: too large"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return "truncated" if "truncated" in str(error).lower() else "damaged"

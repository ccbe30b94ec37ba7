"""One rule for every image from outside, of training or to start drawing from: 8-bit RGB, upright, on white.

Transparency is composited on white, animations show their first frame, EXIF orientation is applied, colour profiles are
ignored. Gray images of 16 bits are scaled from 0-65535; those of 32 bits, whose unit is unknown, from their own range.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ...errors import UserError

SMALLEST = 8                # pixels of a side
LARGEST = 100_000_000       # pixels of an image
BAND = 256                  # rows converted at once
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")  # EPS, say, would run Ghostscript
ORIENTATION = 0x0112        # the EXIF tag, and how each of its values is turned upright
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}


def decode(data: bytes | np.ndarray, at_least: int | None = None) -> Image.Image:
    """The RGB image in the bytes of a file, or of uint8 (H, W, 3).

    With `at_least`, a large JPEG is decoded to a half, a quarter or an eighth of its size, as long as both sides keep
    that many pixels. Raises UserError, with a short reason, if the image cannot be used.
    """
    if isinstance(data, np.ndarray):
        check_size(data.shape[1::-1])
        return Image.fromarray(data)
    with short_reasons():
        image = opened(data)
        check_size(image.size)
        if at_least:
            image.draft(None, (at_least, at_least))
        return as_rgb(image)


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
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file,
                      formats=[name for name in FORMATS if name in Image.OPEN])


def as_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode, by the rule. Raises UserError, with a short reason, if it cannot be decoded."""
    with short_reasons():
        image.load()
        turn = TURNS.get(_orientation(image))
        image = _on_white(image)
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


def _on_white(image):
    """An image of any mode as RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image)
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    if image.mode not in ("PA", "LA", "La", "RGBA", "RGBa") and "transparency" not in image.info:
        return image.convert("RGB") if image.mode != "RGB" else image
    rgb = Image.new("RGB", image.size, "white")
    for top, band in _bands(image):
        band = (band.convert("LA") if band.mode == "La" else band).convert("RGBA")
        rgb.paste(band, (0, top), band)
    return rgb


def _eight_bits(image):
    """Gray values of 16 or 32 bits as 8-bit RGB."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):  # have 16 bits at most
        low, high = 0.0, 65535.0
    else:
        finite = [values[np.isfinite(values)] for values in (np.asarray(band) for _, band in _bands(image))]
        low = min((float(values.min()) for values in finite if values.size), default=0.0)
        high = max((float(values.max()) for values in finite if values.size), default=0.0)
    rgb = Image.new("RGB", image.size)
    for top, band in _bands(image):
        values = np.nan_to_num(np.asarray(band).astype(np.float64), nan=low, posinf=high, neginf=low)
        scaled = (values - low) * (255.0 / ((high - low) or 1.0))
        rgb.paste(Image.fromarray(scaled.round().astype(np.uint8)), (0, top))
    return rgb


def _bands(image):
    """Yields (top, rows from there on): what is computed for a large image at once stays small."""
    for top in range(0, image.height, BAND):
        yield top, image.crop((0, top, image.width, min(top + BAND, image.height)))


def _reason(error):
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels: too large"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return "truncated" if "truncated" in str(error).lower() else "damaged"

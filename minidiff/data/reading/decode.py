"""One rule for every image file: 8-bit RGB, upright, on white.

Transparency is composited on white, animations show their first frame, EXIF orientation is applied, colour profiles are
ignored. Gray images of 16 bits are scaled from 0-65535; those of 32 bits, whose unit is unknown, from their own range.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ...errors import UserError

SMALLEST = 8                # pixels of a side
LARGEST = 100_000_000       # pixels of an image
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")  # EPS, say, would run Ghostscript
ORIENTATION = 0x0112        # the EXIF tag, and how each of its values is turned upright
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}


def decode(data: bytes | np.ndarray, at_least: int | None = None, alpha: bool = False) -> Image.Image:
    """The RGB image in the bytes of a file, or of uint8 (H, W, 3); with `alpha` RGBA, and nothing is composited.

    With `at_least`, a large JPEG is decoded to a half, a quarter or an eighth of its size, as long as both sides keep
    that many pixels. Raises UserError, with a short reason, if the image cannot be used.
    """
    if isinstance(data, np.ndarray):
        check_size(data.shape[1::-1])
        return Image.fromarray(data).convert("RGBA" if alpha else "RGB")
    try:
        image = opened(data)
        check_size(image.size)
        if at_least:
            image.draft(None, (at_least, at_least))
        image.load()
        turn = TURNS.get(_orientation(image))
        image = image.convert("RGBA") if alpha else _on_white(image)
    except UserError:
        raise
    except Exception as error:  # on damaged files, Pillow's plugins raise nearly all there are
        raise UserError(_reason(error)) from error
    return image if turn is None else image.transpose(turn)


def check_size(size: tuple[int, int]) -> None:
    width, height = size
    if min(size) < SMALLEST:
        raise UserError(f"{width} x {height} pixels: too small")
    if width * height > LARGEST:
        raise UserError(f"{width} x {height} pixels: too large")


def opened(data: bytes) -> Image.Image:
    """The image in the bytes of a file, of one of FORMATS, of which only the header is read."""
    if not data:
        raise UserError("empty")
    Image.init()
    return Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])


def _orientation(image):
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # a damaged EXIF block leaves the image usable
        return None


def _on_white(image):
    """An image of any mode as RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    elif image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    elif image.mode in ("P", "PA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
    rgb = Image.new("RGB", image.size, "white")
    rgb.paste(image.convert("RGB"), mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return rgb


def _eight_bits(image):
    """Gray values of 16 or 32 bits as uint8."""
    values = np.asarray(image).astype(np.float64)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):  # have 16 bits at most
        low, high = 0.0, 65535.0
    else:
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255.0 / ((high - low) or 1.0))
    return scaled.round().astype(np.uint8)


def _reason(error):
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels: too large"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return "truncated" if "truncated" in str(error).lower() else "damaged"

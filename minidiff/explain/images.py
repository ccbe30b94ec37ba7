"""Arrays as images inside a page: PNG files as data URIs, several side by side in one."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

MOST_SIDE = 200
LOW, MIDDLE, HIGH = np.array([[33, 102, 172], [247, 247, 245], [217, 95, 14]], np.float64)  # blue, paper, orange


def data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def side_by_side(pixels: np.ndarray) -> dict:
    """N images as one: its data URI, and how many images of which size it has.

    pixels (N, H, W, 3), uint8
    """
    count, height, width, _ = pixels.shape
    joined = pixels.swapaxes(0, 1).reshape(height, count * width, 3)
    return {"uri": data_uri(Image.fromarray(joined)), "count": count, "width": width, "height": height}


def reduced(images: np.ndarray) -> np.ndarray:
    """Images with sides of at most 200 pixels, each pixel the mean of a block: (N, H, W, 3), uint8."""
    factor = math.ceil(max(images.shape[1:3]) / MOST_SIDE)
    return np.stack([np.asarray(Image.fromarray(image).reduce(factor)) for image in images])


def diverging(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Values from −limit, blue, over 0, the colour of paper, to limit, orange; the limit is 3 standard deviations.

    values (...) -> pixels (..., 3), uint8
    """
    values = np.asarray(values, np.float64)
    x = np.clip(values / ((limit or 3 * values.std()) or 1), -1, 1)[..., None]
    return np.where(x < 0, MIDDLE + x * (MIDDLE - LOW), MIDDLE + x * (HIGH - MIDDLE)).round().astype(np.uint8)


def channels(latents: np.ndarray, most: int) -> np.ndarray:
    """The first channels of latents as images: (h, w, C) -> (C, h, w, 3), uint8."""
    return diverging(np.moveaxis(np.asarray(latents, np.float32)[..., :most], -1, 0))


def packed(values: np.ndarray) -> dict:
    """Values from 0 to their maximum as bytes in base64, for where JSON would be too long."""
    top = float(values.max()) or 1.0
    levels = np.round(np.asarray(values, np.float64) * (255 / top)).astype(np.uint8)
    return {"shape": list(values.shape), "top": top, "bytes": base64.b64encode(levels.tobytes()).decode("ascii")}


def rounded(values, digits: int = 4):
    """Numbers as JSON has them, with so many significant digits."""
    if isinstance(values, dict):
        return {key: rounded(value, digits) for key, value in values.items()}
    if isinstance(values, np.ndarray | list | tuple):
        return [rounded(value, digits) for value in values]
    if isinstance(values, int | np.integer | str | None):
        return int(values) if isinstance(values, np.integer) else values
    return float(f"{float(values):.{digits}g}") if np.isfinite(values) else None

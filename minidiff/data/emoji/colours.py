"""Things of one dominant hue, and the same things in other colours.

Only hues are turned: the saturation and the value (lightness) of each pixel stay, and with them the drawing.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

HUES = {"red": 0, "orange": 28, "yellow": 50, "green": 125, "cyan": 182, "blue": 220, "purple": 275, "pink": 325}
LEAST_SATURATION, LEAST_VALUE = 0.35, 0.3  # of pixels whose hue is seen
OPAQUE = 128                               # of 255
WIDTH = 30                                 # degrees on either side of a hue that look like one colour
LEAST_AREA, LEAST_DOMINANCE = 0.35, 0.75   # of a thing that is seen in its hue: of all pixels, of those with a hue
DEGREES = 360 / 256                        # Pillow's unit of hues


def hsv(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RGB, uint8 (H, W, 3) -> hue in degrees, saturation and value from 0 to 1, each (H, W)."""
    hue, saturation, value = np.moveaxis(np.asarray(Image.fromarray(pixels).convert("HSV"), np.float32), -1, 0)
    return hue * DEGREES, saturation / 255, value / 255


def apart(a, b):
    """The angle between two hues in degrees, from 0 to 180."""
    return np.abs((a - b + 180) % 360 - 180)


def dominant_hue(pixels: np.ndarray, inside: np.ndarray) -> tuple[float, float, float]:
    """The hue that most pixels have, the fraction of the area with it, and its fraction of the pixels with any hue.

    pixels (H, W, 3) uint8, inside (H, W) boolean
    """
    hue, saturation, value = hsv(pixels)
    coloured = inside & (saturation >= LEAST_SATURATION) & (value >= LEAST_VALUE)
    if not coloured.any():
        return 0.0, 0.0, 0.0
    hues = hue[coloured]
    counts = np.array([(apart(hues, middle) <= WIDTH).sum() for middle in range(0, 360, 5)])
    near = hues[apart(hues, 5 * counts.argmax()) <= WIDTH]
    angles = np.deg2rad(near)
    mean = np.rad2deg(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())) % 360
    return float(mean), len(near) / inside.sum(), len(near) / len(hues)


def colour_of(hue: float) -> str:
    """The colour whose hue is nearest."""
    return min(HUES, key=lambda name: apart(HUES[name], hue))


def hue_of(image: np.ndarray) -> float | None:
    """The hue of a thing that is mostly of one; None for others. image (H, W, 4) uint8"""
    hue, area, dominance = dominant_hue(image[..., :3], image[..., 3] >= OPAQUE)
    return hue if area >= LEAST_AREA and dominance >= LEAST_DOMINANCE else None


def recoloured(image: np.ndarray, colour: str, hue: float) -> np.ndarray:
    """The image with everything of about that hue turned to the colour's. image (H, W, 4) uint8"""
    planes = np.array(Image.fromarray(image[..., :3]).convert("HSV"))
    turned = apart(planes[..., 0] * DEGREES, hue) <= 1.5 * WIDTH
    turn = round((HUES[colour] - hue) / DEGREES)
    planes[..., 0] = np.where(turned, (planes[..., 0].astype(int) + turn) % 256, planes[..., 0])
    rgb = np.asarray(Image.fromarray(planes, "HSV").convert("RGB"))
    return np.concatenate([rgb, image[..., 3:]], axis=-1)

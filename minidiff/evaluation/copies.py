"""Does a model draw its training images again? Each image is compared with the nearest one of the training images.

How near is too near depends on the images: those of one kind look alike. The measure is what true images that were
never trained on show, which are near to training images by chance alone.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 32        # pixels: small enough that noise and sharpness don't count, large enough to tell images apart
BLOCK = 1000     # images compared at once
QUANTILE = 0.05  # of the true images lie nearer to a training image than the threshold


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images, uint8 (N, S, S, 3), as the means of areas: uint8 (N, 32, 32, 3)."""
    return np.stack([np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)) for image in images])


def nearest(images: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distance to the nearest training image, and its index.

    images (N, H, W, 3), training (M, H, W, 3), both uint8 -> distance (N), index (N)

    The distance is the root of the mean squared difference of all values, for values from −1 to 1. It is computed as
    ‖a‖² + ‖b‖² − 2 a·b, exactly: float64 holds whole numbers up to 2⁵³. Only a block of products is in memory at once.
    """
    a, b = (x.reshape(len(x), -1) for x in (images, training))
    least, index = np.full(len(a), np.inf), np.zeros(len(a), np.int64)
    for j in range(0, len(b), BLOCK):
        other = b[j:j + BLOCK].astype(np.float64)
        for i in range(0, len(a), BLOCK):
            rows = slice(i, i + BLOCK)
            own = a[rows].astype(np.float64)
            squares = (own**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * own @ other.T
            found, here = squares.min(axis=1), j + squares.argmin(axis=1)
            index[rows] = np.where(found < least[rows], here, index[rows])
            least[rows] = np.minimum(least[rows], found)
    return np.sqrt(least / a.shape[1]) / 127.5, index


def copied(drawn: np.ndarray, true: np.ndarray, training: np.ndarray, quantile: float = QUANTILE) -> dict:
    """How much nearer to training images drawn images are than true ones that were never trained on.

    drawn (N, H, W, 3), true (M, H, W, 3), training (L, H, W, 3), thumbnails -> scores

    `threshold` is the distance within which a fraction `by_chance` of the true images have a training image; `copied`
    is the same fraction of the drawn images. A model that copies nothing has about `by_chance`, with the standard error
    of fractions of N and of M images; one that copies all has 1. The medians are those of the distances to the nearest
    training image.
    """
    of_drawn, of_true = nearest(drawn, training)[0], nearest(true, training)[0]
    threshold = np.quantile(of_true, quantile)
    return {"copied": round(float((of_drawn <= threshold).mean()), 4), "by_chance": quantile,
            "by_chance_error": round(float(np.sqrt(quantile * (1 - quantile) * (1 / len(drawn) + 1 / len(true)))), 4),
            "threshold": round(float(threshold), 4), "drawn_median": round(float(np.median(of_drawn)), 4),
            "true_median": round(float(np.median(of_true)), 4), "training_images": len(training)}

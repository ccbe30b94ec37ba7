"""Images compared in their 256 levels."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from PIL import Image


def read_pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def pixels(images):
    return np.stack([np.asarray(one) for one in images]).astype(int)


def assert_same(one, other):
    """Equal up to one level: batches of other sizes round differently."""
    assert_allclose(pixels(one), pixels(other), rtol=0, atol=1)


def assert_other(one, other):
    assert np.abs(pixels(one) - pixels(other)).max() > 3

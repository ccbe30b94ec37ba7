"""The affine map, with the bias added in place and its gradient as a product with ones.

Time: 0.85 for 32 channels in and out, 0.95 for 64, 1.0 from 128 on.
"""

from __future__ import annotations

from ... import ops
from .. import replaces
from ..affine import affine
from .passes import column_sums


@replaces(ops.linear)
def linear(x, weight, bias=None):
    return affine(x, weight, bias, column_sums)

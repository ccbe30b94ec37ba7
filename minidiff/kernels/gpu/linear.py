"""The affine map, with the bias added in place and its gradient by `column_sums`."""

from __future__ import annotations

from ... import ops
from .. import replaces
from ..affine import affine
from .column_sums import column_sums


@replaces(ops.linear)
def linear(x, weight, bias=None):
    return affine(x, weight, bias, column_sums)

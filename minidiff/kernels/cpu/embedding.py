"""Embedding whose gradient is added up in a flat table: NumPy adds single elements by index five times as fast as rows.

Time: 1.0, 0.21.
"""

from __future__ import annotations

import numpy as np

from ... import ops
from ...backend import full_precision
from .. import replaces
from .passes import empty


@replaces(ops.embedding)
def embedding(table, ids):
    channels = table.shape[1]

    def backward(dy):
        elements = ids.reshape(-1, 1).astype(np.intp) * channels + np.arange(channels)
        dy = full_precision(dy)
        dtable = np.zeros_like(dy, shape=table.shape, order="C")
        np.add.at(dtable.reshape(-1), elements.reshape(-1), dy.reshape(-1))
        return dtable, None

    y = empty((*ids.shape, channels), table, ids)
    return np.take(table, ids, axis=0, out=y), backward

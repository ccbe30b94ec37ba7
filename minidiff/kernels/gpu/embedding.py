"""Embeddings whose gradient is the same in every run: CuPy's `add.at` adds in an order that varies."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

CHANNELS = 32  # of a block, as in embedding.cu
ROWS = 8       # threads of a block for each of them


@replaces(ops.embedding)
def embedding(table, ids):
    xp = array_module(table)

    def backward(dy):
        dtable, channels = xp.zeros(table.shape, dy.dtype), table.shape[-1]
        launch("embedding.cu", "embedding_backward", (ids.size, -(-channels // CHANNELS)), (CHANNELS, ROWS),
               dy, ids.astype("int64", copy=False), dtable, ids.size, channels)
        return dtable, None

    return xp.take(table, ids, axis=0), backward

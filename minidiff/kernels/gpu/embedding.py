"""Embeddings whose gradient is the same in every run: CuPy's `add.at` adds in an order that varies."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch

THREADS = 256  # of a block


@replaces(ops.embedding)
def embedding(table, ids):
    xp = array_module(table)

    def backward(dy):
        dtable = xp.zeros(table.shape, dy.dtype)
        launch("embedding.cu", "embedding_backward", ids.size, THREADS, dy, ids.astype("int64", copy=False), dtable,
               ids.size, table.shape[-1])
        return dtable, None

    return xp.take(table, ids, axis=0), backward

"""Batches drawn before they are needed, by the other cores of the host, while a GPU computes a step.

Drawing 64 scenes with their twins takes a core 14 ms, more than a step of a small model takes a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from ..backend import shared
from ..nn.threads import cores
from .forked import Forked
from .ranks import world

MOST = 16  # processes
EACH = 2   # batches that a process may be ahead

Draw = Callable[[int], Sequence[np.ndarray]]  # the arrays of batch `index`, which depend on the index alone


class Ahead:
    """`draw`, whose next results are being computed by `count` processes when one is asked for. With none, `draw`.

    Batch i is drawn by process i modulo `count`, into a slot of memory that all share. If the index is not the last one
    plus 1, this process draws the batch, and forks the others anew. The next call overwrites the arrays of a batch.
    """

    def __init__(self, draw: Draw, count: int):
        self.draw, self.count, self.next = draw, count, None
        self.processes, self.slots = Forked(), []

    def __call__(self, index: int) -> Sequence[np.ndarray]:
        if not self.count:
            return self.draw(index)
        expected, self.next = self.next, None
        batch = self._receive(index) if index == expected else self._begin(index)
        self.next = index + 1
        return batch

    def _begin(self, index):
        batch = self.draw(index)
        self.close()
        self.slots = [[shared(array) for array in batch] for _ in range(EACH * self.count)]
        for _ in range(self.count):
            self.processes.add(self._draw)
        for ahead in range(1, len(self.slots)):
            self._ask(index + ahead)
        return batch

    def _receive(self, index):
        self._ask(index - 1 + len(self.slots))  # into the slot of the batch before
        batch, error = self.processes.receive(index % self.count)
        if error is not None:
            raise error
        return self._slot(index)[:batch] if isinstance(batch, int) else batch

    def _ask(self, index):
        self.processes.send(index % self.count, index)

    def _draw(self, index):
        """What a forked process does: fill a slot's first arrays and say how many, or return a batch of other kinds."""
        slot, batch = self._slot(index), self.draw(index)
        if kinds(slot)[:len(batch)] != kinds(batch):
            return batch
        for place, array in zip(slot, batch, strict=False):
            place[...] = array
        return len(batch)

    def _slot(self, index):
        return self.slots[index % len(self.slots)]

    def close(self) -> None:
        self.processes.close()
        self.processes = Forked()


def kinds(arrays) -> list[tuple]:
    return [(array.shape, array.dtype) for array in arrays]


def drawers(device: str, threads: int | None = None) -> int:
    """The processes that draw batches for a GPU; none on a CPU, where one beside two workers on two cores made steps
    1.01 to 1.03 times as long.

    One of the `threads`, by default of all cores, is left to the process that trains. Only Linux forks safely.
    """
    count = min(MOST, (world().threads(threads) or cores()) - 1)
    return count if device == "cuda" and sys.platform == "linux" else 0

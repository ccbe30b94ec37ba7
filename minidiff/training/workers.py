"""One training step on several cores: each worker takes a part of the batch through a replica of the models.

Threads suffice, since NumPy lets go of the interpreter while it computes: with BLAS at one thread each, two workers
were 1.6 times as fast as one. BLAS's own threads wait for one another at every product.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from ..backend import array_module, keep_memory
from ..nn.module import Module
from ..nn.threads import cores
from ..ops.winograd import fast_convolutions
from .optimizer import Flat, flat_gradient

LEAST_PART = 4   # samples a worker must get for a thread to pay
PATIENCE = 2e-5  # seconds a thread coming out of NumPy waits for the interpreter: Python's own 5 ms cost 14 % of a step


class Workers:
    """Replicas of a list of models, whose gradients `gather` adds into those of the models themselves."""

    def __init__(self, models: Sequence[Module], flat: Flat, count: int, winograd: bool = False):
        keep_memory()
        self.flat, self.winograd = flat, winograd
        self.replicas = [tuple(models)] + [tuple(model.replica() for model in models) for _ in range(count - 1)]
        self.gradients = [flat_gradient([p for model in models for p in model.parameters()])
                          for models in self.replicas[1:]]
        self.pool = ThreadPoolExecutor(count) if count > 1 else None
        self.map = self.pool.map if self.pool else map
        self.limit = threadpool_limits(1, "blas") if count > 1 else None
        self.patience = sys.getswitchinterval()
        if count > 1:
            sys.setswitchinterval(PATIENCE)

    def run(self, function: Callable, *parts) -> list:
        """function(models, *parts of worker i) for every worker, at the same time."""
        return list(self.map(fast_convolutions(self.winograd)(function), self.replicas, *parts))

    def split(self, *arrays) -> list:
        """Each array as one even part per worker."""
        return [[array[i * len(array) // len(self.replicas) : (i + 1) * len(array) // len(self.replicas)]
                 for i in range(len(self.replicas))] for array in arrays]

    def learn(self, loss_of: Callable, share: float, *arrays) -> dict:
        """The mean losses of a batch; adds `share` of its gradient. loss_of(models, *parts) -> losses, backward."""
        size = len(arrays[0])

        def part(models, *parts):
            losses, backward = loss_of(models, *parts)
            weight = len(parts[0]) / size
            backward(share * weight)
            return {name: value * weight for name, value in losses.items()}

        results = self.run(part, *self.split(*arrays))
        return {name: sum(result[name] for result in results) for name in results[0]}

    def join(self, parts):
        return array_module(parts[0]).concatenate(parts)

    def clear(self):
        for grad in (self.flat.grad, *self.gradients):
            grad[...] = 0

    def gather(self):
        for grad in self.gradients:
            self.flat.grad += grad

    def close(self):
        if self.pool is not None:
            self.pool.shutdown()
            self.limit.restore_original_limits()
            sys.setswitchinterval(self.patience)


def worker_count(batch_size: int, device: str, wanted: int | None = None) -> int:
    """Workers for a batch: one on a GPU, else as many as cores while each part stays worth a thread."""
    if device != "cpu":
        return 1
    return max(1, min(wanted or cores(), batch_size // LEAST_PART))

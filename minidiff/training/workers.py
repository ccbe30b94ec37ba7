"""One training step on several cores: each worker computes the gradient of its part of the batch.

Workers are processes, forked when training starts. They share the memory of the parameters, and each sums its gradients
in a buffer that the first process can read. Two threads took 1.2 times as long: between NumPy's short calls they wait
for Python's lock. BLAS's own threads wait for each other at every matrix product.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..backend import array_module, captured, keep_memory, product_precision, shared
from ..nn.blas import set_blas_threads
from ..nn.gradients import gradients_together
from ..nn.threads import cores
from ..ops import fast
from .ahead import Ahead, drawers
from .flat import Flat
from .forked import Forked
from .ranks import world
from .stage import Stage

LEAST_PART = 4  # samples of a batch below which another worker costs more than it saves


class Workers:
    """A stage in this process and in count - 1 forked ones; `add_gradients` adds those of the others to its own.

    Together they learn the rows of this rank (ranks.py), and `add_gradients` also adds those of the other ranks.

    Each has one thread of BLAS; a single one has `threads`, or with None as many as BLAS itself would take.
    """

    def __init__(self, stage: Stage, flat: Flat, count: int, threads: int | None = None):
        keep_memory()
        self.stage, self.flat, self.ranks = stage, flat, world()
        self.others, self.gradients, self.count = Forked(), [shared(flat.grad) for _ in range(count - 1)], count
        self.restore = set_blas_threads(1 if count > 1 else threads)
        self.recorded, self.arrays = None, 0  # `learn`, and of how many arrays
        for grad in self.gradients:
            self.others.add(partial(self._call_in, grad))
        self.ahead = Ahead(stage.draw, drawers(stage.device, threads))
        self.pool = ThreadPoolExecutor(count) if count > 1 else None  # for the update of the parameters
        self.map = self.pool.map if self.pool else map

    def _call_in(self, grad, name, arguments):
        """What a forked process does; it collects its gradients in `grad`, which this process can read."""
        if self.flat.grad is not grad:
            self.flat.collect_in(grad)
        return self._call(name, arguments)

    def _call(self, name, arguments):
        if name != "learn":
            return self._compute(name, arguments)
        if self.recorded is None or len(arguments) != self.arrays:
            self.recorded, self.arrays = self._record(), len(arguments)
        return self.recorded(*arguments)

    def _record(self):
        """The stage's `learn`, recorded once, for the gradients of this process, and replayed.

        With another number of arrays a new part of the training begins, and the old recording goes, with its memory.
        """
        def learn(value, grad, *arguments):
            with self.flat.within(value, grad):
                return self._compute("learn", arguments)

        return captured(learn, self.stage.device, (self.flat.value, self.flat.grad), pure=self.stage.recordable)

    def _compute(self, name, arguments):
        settings = self.stage.settings
        with (fast(settings.winograd), product_precision(settings.precision),
              gradients_together(self.stage.device == "cuda")):
            return getattr(self.stage, name)(*arguments)

    def draw(self, index: int) -> Sequence:
        """The arrays of batch `index`, until the next call."""
        return self.ahead(index)

    def run(self, name: str, *parts: Sequence) -> list:
        """Run the stage's method `name` in the workers at once: worker i gets element i of each of `parts`."""
        own, *others = zip(*parts, strict=True)
        for number, arguments in enumerate(others):
            self.others.send(number, name, arguments)
        answers = [(self._call(name, own), None), *map(self.others.receive, range(len(others)))]
        for _, error in answers:
            if error is not None:
                raise error
        return [answer for answer, _ in answers]

    def split(self, *arrays) -> list:
        """Each array in equal parts, one per worker as long as there are enough rows."""
        count = min(self.count, len(arrays[0]))
        return [[array[i * len(array) // count : (i + 1) * len(array) // count] for i in range(count)]
                for array in arrays]

    def learn(self, fraction: float, *arrays) -> dict:
        """The mean losses of a batch of all ranks; adds the gradient of this rank's rows times `fraction`.

        The arrays may be those of the host.
        """
        rows = self.ranks.part(*arrays)
        weight = len(rows[0]) / len(arrays[0])
        return self.ranks.mean(self.learn_rows(fraction * weight, *rows), weight)

    def learn_rows(self, fraction: float, *arrays) -> dict:
        """The mean losses of rows; adds their gradient times `fraction`, by stage.learn(fraction, *part)."""
        parts = self.split(*arrays)
        weights = [len(part) / len(arrays[0]) for part in parts[0]]
        results = self.run("learn", [fraction * weight for weight in weights], *parts)
        return {name: sum(weight * result[name] for weight, result in zip(weights, results, strict=True))
                for name in results[0]}

    def join(self, parts):
        """The rows of the whole batch, of all workers and ranks."""
        return self.ranks.gather(array_module(parts[0]).concatenate(parts))

    def clear(self):
        for grad in (self.flat.grad, *self.gradients):
            grad[...] = 0

    def add_gradients(self):
        """Add those of all workers, and of all other ranks, to the first one's."""
        for grad in self.gradients:
            self.flat.grad += grad
        self.ranks.allreduce(self.flat.grad)

    def close(self):
        self.others.close()
        self.ahead.close()
        self.recorded = None  # it refers to this object, so its memory would stay for a while
        if self.pool is not None:
            self.pool.shutdown()
        self.restore()


def worker_count(batch_size: int, device: str, wanted: int | None = None) -> int:
    """Workers for a batch: one per core, as long as each gets enough samples; one on a GPU.

    Also one where forking is unsafe (macOS) or missing (Windows): there BLAS's own threads use the cores.
    """
    if device != "cpu" or sys.platform != "linux":
        return 1
    return max(1, min(wanted or cores(), batch_size // LEAST_PART))

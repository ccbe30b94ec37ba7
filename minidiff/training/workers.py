"""One training step on several cores: each worker takes a part of the batch through a copy of the stage.

Workers are processes, forked as training begins. The parameters' memory is common to all of them, and each adds its
gradients up in a buffer that the first process reads. Two threads did the same in 1.2 times the time: between NumPy's
short calls they waited for each other to leave Python. BLAS's own threads wait at every product.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from ..backend import array_module, keep_memory, shared
from ..errors import UserError
from ..nn.threads import cores
from ..ops import fast
from .optimizer import Flat

LEAST_PART = 4  # samples a worker must get to pay


class Workers:
    """A stage in this process and in count - 1 forked ones; `gather` adds their gradients to those of the first."""

    def __init__(self, stage, flat: Flat, count: int):
        keep_memory()
        self.stage, self.flat = stage, flat
        self.gradients, self.pipes, self.processes = [], [], []
        self.limit = threadpool_limits(1, "blas") if count > 1 else None
        for _ in range(count - 1):
            self._fork()
        self.pool = ThreadPoolExecutor(count) if count > 1 else None  # for the optimiser's long passes over memory
        self.map = self.pool.map if self.pool else map

    def _fork(self):
        context = multiprocessing.get_context("fork")
        pipe, end = context.Pipe()
        self.pipes.append(pipe)
        self.gradients.append(shared(self.flat.grad))
        process = context.Process(target=self._serve, args=(end,), daemon=True)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the first process alone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, about threads: BLAS stops its own to fork
            process.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        end.close()
        self.processes.append(process)

    def _serve(self, end):
        """What a forked worker does until its pipe is closed."""
        for pipe in self.pipes:
            pipe.close()
        self.flat.collect_in(self.gradients[-1])
        while True:
            try:
                name, arguments = end.recv()
            except EOFError:
                return
            try:
                end.send((self._call(name, arguments), None))
            except Exception as error:
                end.send((None, error))

    def _call(self, name, arguments):
        with fast(self.stage.settings.winograd):
            return getattr(self.stage, name)(*arguments)

    def run(self, name: str, *parts: Sequence) -> list:
        """The stage's method `name` in all workers at the same time, in worker i with number i of each of `parts`."""
        own, *others = zip(*parts, strict=True)
        try:
            for pipe, arguments in zip(self.pipes, others, strict=True):
                pipe.send((name, arguments))
            answers = [(self._call(name, own), None), *(pipe.recv() for pipe in self.pipes)]
        except (EOFError, ConnectionError):
            raise UserError("a worker process was ended from outside, perhaps for want of memory: "
                            "go on with --resume, and fewer --threads") from None
        for _, error in answers:
            if error is not None:
                raise error
        return [answer for answer, _ in answers]

    def split(self, *arrays) -> list:
        """Each array as one even part per worker."""
        count = len(self.pipes) + 1
        return [[array[i * len(array) // count : (i + 1) * len(array) // count] for i in range(count)]
                for array in arrays]

    def learn(self, share: float, *arrays) -> dict:
        """The mean losses of a batch; adds `share` of its gradient: stage.learn(share of a part, *part) -> losses."""
        parts = self.split(*arrays)
        weights = [len(part) / len(arrays[0]) for part in parts[0]]
        results = self.run("learn", [share * weight for weight in weights], *parts)
        return {name: sum(weight * result[name] for weight, result in zip(weights, results, strict=True))
                for name in results[0]}

    def join(self, parts):
        return array_module(parts[0]).concatenate(parts)

    def clear(self):
        for grad in (self.flat.grad, *self.gradients):
            grad[...] = 0

    def gather(self):
        for grad in self.gradients:
            self.flat.grad += grad

    def close(self):
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.close()
            process.terminate()
            process.join()
        if self.pool is not None:
            self.pool.shutdown()
            self.limit.restore_original_limits()


def worker_count(batch_size: int, device: str, wanted: int | None = None) -> int:
    """Workers for a batch: as many as cores while each part stays worth a process; one on a GPU.

    One also where forking is not safe (macOS) or not there (Windows): BLAS's own threads share its products then.
    """
    if device != "cpu" or sys.platform != "linux":
        return 1
    return max(1, min(wanted or cores(), batch_size // LEAST_PART))

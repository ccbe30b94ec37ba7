"""Processes forked from this one, which answer calls until they are closed, or until this one ends in whatever way."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize

from ..errors import UserError


class Forked:
    """Processes, counted from 0. Each has a copy of all that this one had when it was added, and answers in order."""

    def __init__(self):
        self.pipes, self.processes = [], []
        # Before multiprocessing, at the end of this process, waits for its children.
        self._end = Finalize(self, stop_all, (self.pipes, self.processes), exitpriority=1)

    def add(self, answer: Callable) -> None:
        """Fork another process, which answers what it is sent by answer(*arguments)."""
        context = multiprocessing.get_context("fork")
        pipe, end = context.Pipe()
        self.pipes.append(pipe)
        process = context.Process(target=serve, args=(answer, end, self.pipes), daemon=True)
        # Only the first process is asked to stop, also where all are sent the signal: it needs the others until then.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: BLAS stops its own first
                process.start()
            self.processes.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            end.close()

    def send(self, number: int, *arguments) -> None:
        """Have process `number` answer, while this one goes on. Raises UserError if it was killed."""
        try:
            self.pipes[number].send(arguments)
        except ConnectionError:
            raise killed() from None

    def receive(self, number: int) -> tuple:
        """(answer, None), or (None, the error that it raised). Raises UserError if the process was killed."""
        try:
            return self.pipes[number].recv()
        except (EOFError, ConnectionError):
            raise killed() from None

    def close(self) -> None:
        self._end()


def serve(answer, end, inherited):
    """The loop of a forked process, until its pipe is closed by the first process, or by the system at its death."""
    for pipe in inherited:
        pipe.close()
    gc.freeze()  # what the first process has on a GPU is not to be freed here
    with suppress(EOFError, ConnectionError, MemoryError):  # the first process has ended, or sees that this one has
        while True:
            arguments = end.recv()
            try:
                answered = answer(*arguments), None
            except Exception as error:
                answered = None, error
            end.send(answered)


def killed() -> UserError:
    return UserError("a worker process was killed, perhaps because memory ran out: "
                     "continue with --resume and fewer --threads")


def stop_all(pipes: list, processes: list) -> None:
    """End forked processes at once, whatever they are doing: nothing of theirs is kept."""
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.kill()
        process.join()

"""Requests to stop: Ctrl-C, and the signals that a closed terminal, a scheduler or a shutdown sends."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .options import say

# The last one is missing on Windows, and ignored under nohup.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def handled(numbers, handler) -> Iterator[dict]:
    """Inside, signals have this handler; yields those that they had before, and have after it.

    In a thread other than the main one, which alone may set handlers, they keep their own.
    """
    allowed = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in numbers if allowed}
    try:
        yield before
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside, what would end the process at once leaves all blocks first, so that temporary files are removed."""
    def leave(number, _):
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    with handled([number for number in SIGNALS if number != signal.SIGINT
                  and signal.getsignal(number) == signal.SIG_DFL], leave):
        yield


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Yields a list that is empty until a signal asks to stop, and then has its number: a training step can finish.

    A second Ctrl-C interrupts the step. The other signals may come twice, from a terminal and from its shell.
    """
    stop: list[int] = []

    def remember(number, _):
        stop.append(number)
        if number == signal.SIGINT:
            signal.signal(number, before[number])
        say("stopping", "finishing a few steps first (press Ctrl-C again to stop at once, at the last checkpoint)")

    with handled([number for number in SIGNALS if number == signal.SIGINT
                  or signal.getsignal(number) != signal.SIG_IGN], remember) as before:
        yield stop


def stopped(run, now, stop: list[int], minutes: float | None) -> int:
    """Save a checkpoint and print how to resume; the exit code of a program that a signal has stopped.

    `minutes` are those that are left of --minutes.
    """
    if now.stage in run.trainers:
        run.trainer(now.stage).save()
    left = "" if minutes is None else f" --minutes {max(0.1, minutes):.1f}"
    say("stopped", f"{now.stage} at step {now.step} of {now.total}; resume with: "
        f"minidiff train --resume --out {shlex.quote(str(run.folder))}{left}")
    return 128 + stop[0]


def signals_ignored():
    """Inside, requests to stop change nothing: another process, which is sent them too, sees to the end of this one."""
    return handled(SIGNALS, signal.SIG_IGN)

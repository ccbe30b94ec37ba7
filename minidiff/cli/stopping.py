"""Requests to stop: Ctrl-C, and the signals that a closed terminal, a scheduler or a shutdown sends."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .options import say

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one is missing on Windows, and ignored under nohup


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside, what would end the process at once leaves all blocks first, so that temporary files are removed."""
    def leave(number, _):
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    numbers = [getattr(signal, name) for name in SIGNALS[1:] if hasattr(signal, name)]
    here = threading.current_thread() is threading.main_thread()  # no other may set handlers
    before = {number: signal.signal(number, leave) for number in numbers
              if here and signal.getsignal(number) == signal.SIG_DFL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, remember) for number in numbers
              if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Inside, requests to stop change nothing: another process, which is sent them too, sees to the end of this one."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

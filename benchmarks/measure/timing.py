"""Timing in turns: whatever slows the machine down for a while slows down everything that is compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from .device import wait


@dataclass(frozen=True)
class Timing:
    """Seconds per call, one value per round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    def to_dict(self) -> dict:
        return {"median": self.median, "minimum": self.minimum, "rounds": list(self.seconds)}


def interleaved(runs: dict[str, Callable], rounds: int, pause: float = 0.1, least: float = 0.0) -> dict[str, Timing]:
    """Each of `runs` once a round, another one first each time; its turn repeats the call for `least` seconds.

    The pause lets the threads of one runtime, which wait by spinning, fall asleep before the next one is timed.
    Calls on a GPU follow one another without waiting, as they do in a network; a turn ends when all have finished.
    """
    seconds, names = {name: [] for name in runs}, list(runs)
    for run in runs.values():
        run()
    for index in range(rounds):
        first = index % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)
            if least:
                runs[name]()
            seconds[name].append(mean_time(runs[name], least))
    return {name: Timing(tuple(times)) for name, times in seconds.items()}


def until_returned(run: Callable, rounds: int = 5) -> float:
    """Median seconds that a call keeps this process, which on a GPU goes on computing."""
    seconds = []
    for _ in range(rounds):
        wait()
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    wait()
    return median(seconds)


def mean_time(run: Callable, least: float) -> float:
    """Seconds per call, over as many calls as fill `least` seconds, at least one."""
    calls = 1
    while True:
        wait()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        wait()
        elapsed = time.perf_counter() - start
        if elapsed >= least:
            return elapsed / calls
        calls = max(2 * calls, int(1.2 * calls * least / max(elapsed, 1e-9)))

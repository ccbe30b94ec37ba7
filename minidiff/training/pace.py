"""What is seen of steps now and then: their mean losses, how long they take, how many of them fit into a time."""

from __future__ import annotations

import time


class Pace:
    """A clock that runs from `go` to `look`: what is done between a look and the next go does not count."""

    def __init__(self, step: int, seconds: float | None = None):
        self.first, self.seconds, self.spent, self.step_time = step, seconds, 0.0, None
        self.go()

    def go(self) -> None:
        self.since = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the last `go`."""
        return time.monotonic() - self.since

    def is_up(self) -> bool:
        """Whether all of the given seconds are spent."""
        return self.spent + self.elapsed() >= self.seconds

    def look(self, step: int) -> None:
        """Learn from the steps made so far how long one takes."""
        self.spent += self.elapsed()
        self.step_time = self.spent / (step - self.first)

    def total(self, step: int) -> int:
        """How many steps there will have been when the seconds are spent: at least one more."""
        return step + max(1, round((self.seconds - self.spent) / self.step_time))


class Means:
    """Losses since the last time that they were taken. Their sums stay on the device until then."""

    def __init__(self):
        self.sums, self.steps = {}, 0

    def add(self, losses: dict) -> None:
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in losses.items()}
        self.steps += 1

    def taken(self) -> tuple[int, dict[str, float]]:
        """The number of steps and their mean losses, for which a device is waited."""
        sums, steps = self.sums, self.steps
        self.sums, self.steps = {}, 0
        return steps, {name: float(value) / steps for name, value in sums.items()}

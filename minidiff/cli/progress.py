"""What a training run shows while it works. It goes on when nobody can see it any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


class Stream:
    """A stream whose reader may go away, like a terminal or a pipe that is closed: the rest is then dropped."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        return self._try(self.stream.write, text)

    def flush(self):
        return self._try(self.stream.flush)

    def _try(self, call, *arguments):
        try:
            return call(*arguments)
        except OSError:
            with open(os.devnull, "w") as nowhere:  # where Python also flushes to at its end
                os.dup2(nowhere.fileno(), self.stream.fileno())


@contextmanager
def output_may_vanish() -> Iterator[None]:
    """Inside, a terminal or pipe that is closed stops no output; `prepare_streams` has seen to all else."""
    with redirect_stdout(Stream(sys.stdout)), redirect_stderr(Stream(sys.stderr)):
        yield


def shown(progress: Iterator) -> Iterator:
    """The same progress, with a bar for each stage: loss, last held-out loss, speed, time left."""
    from tqdm import tqdm

    bar, held_out = None, {}
    try:
        for now in progress:
            if bar is None or bar.desc != now.stage:
                if bar is not None:
                    bar.close()
                bar = tqdm(desc=now.stage, total=now.total,
                           bar_format="{desc:<12} {percentage:3.0f}% |{bar}| {n}/{total}{postfix}")
            bar.total, bar.n = now.total, now.step
            if "held_out" in now.losses:
                held_out[now.stage] = f"held-out {now.losses['held_out']:.4f}, "
            loss = f"loss {now.losses['loss']:.4f}, " if "loss" in now.losses else ""
            left = f"{int(now.seconds_left) // 60}:{int(now.seconds_left) % 60:02}"
            loss += held_out.get(now.stage, "")
            bar.set_postfix_str(f"{loss}{now.samples_per_second:.0f} images/s, {left} left")
            yield now
    finally:
        progress.close()
        if bar is not None:
            bar.close()

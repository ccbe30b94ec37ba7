"""Our side: an update of a stage as training makes it, always on the same batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from minidiff.backend import to_device, to_host
from minidiff.training.loop import Trainer

from .stages import settings_of


class OurStep:
    """Calling it makes one update: gradients of parts of the batch by Workers, clipping, AdamW, moving average."""

    copied = 0  # bytes of weights that are the stage's, too

    def __init__(self, stage, threads: int):
        self.stage, self.settings = stage, replace(settings_of(stage), optimizer="adamw")
        self.trainer = Trainer(stage, self.settings, Path(), threads)
        self.workers = self.trainer.workers()
        self.processes, self.drawn = self.workers.others.processes, stage.draw(0)
        self.workers.draw = lambda index: self.drawn  # drawing is not part of what is compared

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradients of the first batch, by model and parameter."""
        self.workers.clear()
        self.stage.step(self.workers, 1.0, *self.drawn)
        self.workers.add_gradients()
        return {f"{index}.{name}": to_host(parameter.grad).copy() for index, model in enumerate(self.stage.models)
                for name, parameter in model.named_parameters()}

    @cached_property
    def batch(self) -> list:
        return [to_device(array, self.stage.device) for array in self.drawn]

    def learn(self) -> None:
        """Forward and backward of the diffusion stage's first batch, which is on the device already."""
        self.workers.learn(1.0, *self.batch)

    @cached_property
    def numbers(self):
        """What differs from update to update: the step, its learning rate, the decay of the average."""
        return to_device(np.array([1.0, self.settings.learning_rate, 0.1]), self.stage.device)

    def update(self) -> None:
        """A whole update of which nothing has to be uploaded."""
        self.workers.clear()
        self.learn()
        self.trainer.change(self.numbers, self.workers.map)

    def __call__(self) -> None:
        self.trainer.step = 0
        self.trainer._update(self.workers)

    def close(self) -> None:
        self.workers.close()


@contextmanager
def in_precision(stage, precision: str) -> Iterator[None]:
    """Inside, products of the stage's steps on a GPU have factors of this precision."""
    before, stage.settings = stage.settings, replace(stage.settings, precision=precision)
    try:
        yield
    finally:
        stage.settings = before

"""What the loop (loop.py) and the workers (workers.py) know of a stage of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..nn.module import Module
from .presets import Settings


class Stage(Protocol):
    """Something that learns. What it draws at random for a batch depends on the index of the batch alone."""

    name: str               # that of its folder of checkpoints, and of its settings train_NAME
    settings: Settings
    device: str             # 'cpu' or 'cuda'
    models: list[Module]    # all parameters of these are trained
    recordable: bool        # whether `learn` may be recorded on a tape, which keeps what depends on constants alone

    def draw(self, index: int) -> Sequence[np.ndarray]:
        """The arrays of batch `index`, on the host: images or latents, noise, times, token ids."""

    def step(self, workers, fraction: float, *batch: np.ndarray) -> dict:
        """The mean losses of a batch; has the workers add its gradient times `fraction`, as in workers.learn(...)."""

    def learn(self, fraction: float, *part) -> dict:
        """The mean losses of a worker's rows of a batch; adds their gradient times `fraction` to the parameters'."""

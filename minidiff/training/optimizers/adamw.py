"""AdamW: each parameter's step is its mean gradient over the gradient's root mean square, both recent."""

from __future__ import annotations

from ...backend import array_module
from ...ops import adamw
from ..flat import Flat


class AdamW:
    """w ← w − lr (m̂ / (√v̂ + ε) + λ w), with the moments m and v of the gradient: see ops/adamw.py."""

    def __init__(self, flat: Flat, models, settings, eps: float = 1e-8):
        xp = array_module(flat.value)
        self.settings, self.eps = settings, eps
        self.first, self.second = xp.zeros_like(flat.value), xp.zeros_like(flat.value)
        self.parts = flat.blocks()

    def state(self) -> dict:
        return {"first": self.first, "second": self.second}

    def update(self, part: slice, w, g, average, scale, step: int, lr: float, decay: float) -> None:
        own = self.settings
        adamw(w, g, self.first[part], self.second[part], step, lr, own.beta1, own.beta2, self.eps, own.weight_decay,
              scale=scale, average=average, decay=decay)

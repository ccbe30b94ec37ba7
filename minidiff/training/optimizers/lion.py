"""Lion: every parameter takes a step of the same size, and only its sign comes from momentum and gradient."""

from __future__ import annotations

from ...backend import array_module
from ...ops import follow
from ..flat import Flat


class Lion:
    """w ← w − lr (sign(β₁ m + (1 − β₁) g) + λ w), then m ← β₂ m + (1 − β₂) g

    Chen et al. 2023, 2302.06675, algorithm 2; one buffer instead of AdamW's two.

    A step of ±1 is longer than one of AdamW: "a suitable learning rate for Lion is typically 3-10x smaller than that
    for AdamW", and the weight decay 3-10 times larger, so that lr · λ stays about the same (section 5). The settings'
    β₁ = 0.9 and β₂ = 0.99 are the paper's; their learning rates and weight decays are chosen for AdamW and Muon.
    """

    def __init__(self, flat: Flat, models, settings):
        self.settings, self.parts = settings, flat.blocks()
        self.momentum = array_module(flat.value).zeros_like(flat.value)

    def state(self) -> dict:
        return {"momentum": self.momentum}

    def update(self, part: slice, w, g, average, scale, step: int, lr: float, decay: float) -> None:
        beta1, beta2, m = self.settings.beta1, self.settings.beta2, self.momentum[part]
        xp, g = array_module(w), scale * g
        direction = xp.sign(beta1 * m + (1 - beta1) * g)
        w -= xp.asarray(lr, w.dtype) * (direction + self.settings.weight_decay * w)
        m[...] = beta2 * m + (1 - beta2) * g
        follow(average, w, decay)

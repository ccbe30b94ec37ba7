"""AdamW over flat buffers, with the norm of the gradient and the moving average of the parameters.

All parameters of a training run are views of one buffer, and so are their gradients: an update is one pass in blocks
that stay in the cache, clipping is one norm, and adding the gradients of several workers is one sum.
"""

from __future__ import annotations

import math

import numpy as np

from ..backend import array_module, blocks, shared, to_device, to_host
from ..nn.module import Parameter

BLOCK = 1 << 16


class Flat:
    """Parameters moved into one buffer `value`, their gradients into another, `grad`, those of one shape side by side.

    Processes forked later have `value` in common, so it never moves; each may `collect_in` a buffer of its own.
    """

    def __init__(self, parameters: list[Parameter], device: str = "cpu"):
        self.parameters = sorted({id(p): p for p in parameters}.values(), key=lambda p: p.value.shape)
        value = np.concatenate([to_host(p.value).reshape(-1) for p in self.parameters])
        self.value = shared(value) if device == "cpu" else to_device(value, device)
        for parameter, view in self._views(self.value):
            parameter.value = view
        self.collect_in(array_module(self.value).zeros_like(self.value))

    def collect_in(self, grad) -> None:
        """Have the gradients of the parameters added up in `grad`, a buffer like `value`."""
        self.grad = grad
        for parameter, view in self._views(grad):
            parameter.grad = view

    def parts(self):
        """Each parameter with its place in the buffers."""
        start = 0
        for parameter in self.parameters:
            yield parameter, slice(start, start := start + parameter.value.size)

    def _views(self, buffer):
        return [(parameter, buffer[part].reshape(parameter.value.shape)) for parameter, part in self.parts()]


class AdamW:
    """w ← w − lr (m̂ / (√v̂ + ε) + λ w), the moments unbiased: m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²

    Loshchilov & Hutter 2019, algorithm 2. In the same pass the average follows: a ← a + (1 − d) (w − a).
    """

    def __init__(self, flat: Flat, betas: tuple[float, float], weight_decay: float, eps: float = 1e-8):
        xp = array_module(flat.value)
        self.flat, self.betas, self.eps, self.weight_decay = flat, betas, eps, weight_decay
        self.first, self.second = xp.zeros_like(flat.value), xp.zeros_like(flat.value)
        self.average = flat.value.copy()
        self.parts = self.blocks(0, len(flat.value))

    def blocks(self, start: int, stop: int, unit: int = 1, numbers: int | None = None) -> list[slice]:
        """The parameters from `start` to `stop` in parts of whole units, as small as stays in the cache."""
        return [slice(start + part.start * unit, min(stop, start + part.stop * unit))
                for part in blocks(self.flat.value[start:stop].reshape(-1, unit), numbers or BLOCK)]

    def step(self, step: int, lr: float, clip: float = math.inf, average_decay: float = 0.0, run=map):
        """Update `step` (from 1), the gradient scaled down to norm `clip` at most; returns the norm, a 0-d array.

        `run(update, parts)` is `map`, or that of a pool of threads: parts don't depend on one another.
        """
        xp = array_module(self.flat.value)
        norm = xp.sqrt(xp.dot(self.flat.grad, self.flat.grad))
        scale = xp.minimum(1.0, clip / (norm + 1e-6)).astype(norm.dtype)

        def update(part):
            w, average = self.flat.value[part], self.average[part]
            self.move(part, w, self.flat.grad[part] * scale, step, lr)
            average += (1 - average_decay) * (w - average)

        for _ in run(update, self.parts):
            pass
        return norm

    def move(self, part: slice, w, g, step: int, lr: float) -> None:
        """Change the parameters `w`, a part of the buffer, by their gradient `g`, which may be overwritten."""
        xp = array_module(w)
        m, v = self.first[part], self.second[part]
        beta1, beta2 = self.betas
        m += (1 - beta1) * (g - m)
        g *= g
        v += (1 - beta2) * (g - v)
        change = xp.sqrt(v * (1 / (1 - beta2**step)))
        change += self.eps
        change = m / change
        change *= lr / (1 - beta1**step)
        change += (lr * self.weight_decay) * w
        w -= change


def fallen(step: int, total: int, warmup: int, falling: float = 0.2) -> float:
    """How far the last part `falling` of `total` steps has come: 0 before it, 1 at the end."""
    left = (total - step) / max(1.0, falling * (total - warmup))
    return 1 - min(1.0, max(0.0, left))


def learning_rate(step: int, total: int, peak: float, warmup: int, falling: float = 0.2, floor: float = 0.02) -> float:
    """Linear warm-up to `peak`, which stays until the last part `falling` of `total`, then a line to `floor` · peak.

    Before that part a step does not depend on the total, so that a run may still be lengthened (Hägele et al.,
    2405.18392, section 3). Half a cosine, which falls from the start, leaves less time to learn what comes late.
    """
    return peak * min((step + 1) / warmup, 1 - (1 - floor) * fallen(step, total, warmup, falling))


def average_decay(step: int, longest: float) -> float:
    """Decay of the moving average: short at first, (1 + step) / (10 + step), then at most `longest`."""
    return min(longest, (1 + step) / (10 + step))

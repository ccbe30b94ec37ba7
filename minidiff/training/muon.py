"""Muon: a matrix moves along its momentum made orthogonal, so that all its directions learn equally fast.

A gradient is a sum over what a batch teaches. What pictures have in common makes its few large singular values, and
what only some show, such as a shape, its many small ones; AdamW's step, number by number, keeps that order.
"""

from __future__ import annotations

import math

from ..backend import array_module
from ..nn.module import Module
from .optimizer import AdamW, Flat

QUINTIC = 3.4445, -4.7750, 2.0315


def orthogonal(x, iterations: int = 5):
    """x (M, N) -> P x: the same singular vectors, all singular values near 1 (0.7 to 1.2; those below 1e-3 less)

    X₀ = x / ‖x‖,   Xᵢ₊₁ = Qᵢ Xᵢ,   Qᵢ = a + b Aᵢ + c Aᵢ²,   Aᵢ = Xᵢ Xᵢᵀ

    Qᵢ is a polynomial of A₀ and commutes with Aᵢ, so Aᵢ₊₁ = Qᵢ Aᵢ Qᵢ, and only the product P of all Qᵢ meets x: for
    M = N/9 that is 0.4 of the operations. A tall x is multiplied from the right.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    xp = array_module(x)
    a, b, c = QUINTIC
    tall = len(x) > x.shape[1]
    gram = x.T @ x if tall else x @ x.T
    square = xp.maximum(xp.trace(gram), 1e-14)
    gram = gram / square
    one = xp.eye(len(gram), dtype=x.dtype)
    product = one
    for _ in range(iterations):
        q = a * one + b * gram + c * (gram @ gram)
        product = q @ product
        gram = q @ gram @ q
    product /= xp.sqrt(square)
    return x @ product if tall else product @ x


class Muon(AdamW):
    """w ← w − r lr (0.2 √max(M, N) orthogonal(μ m + (1 − μ) g) + λ w) for each matrix (M, N); AdamW for all else.

    m ← μ m + (1 − μ) g

    A matrix is the weight of a linear layer, or of a convolution with its taps and inputs as one axis; the tables of
    embeddings and the layers that read time or patches are left to AdamW. 0.2 √max(M, N) makes a step as long as one of
    AdamW (Liu et al. 2025, 2502.16982, eq. 4), `rate` times that is what it gets.
    """

    def __init__(self, flat: Flat, models: list[Module], betas: tuple[float, float], weight_decay: float, rate: float,
                 momentum: float = 0.95):
        super().__init__(flat, betas, weight_decay)
        self.rate, self.momentum = rate, momentum
        names = {id(p): name for model in models for name, p in model.named_parameters()}
        self.shapes, self.parts, start = {}, [], 0
        for parameter, part in flat.parts():
            if parameter.value.ndim < 2 or "embedding" in names[id(parameter)]:
                continue
            self.shapes[part.start] = (-1, parameter.value.shape[-1])
            self.parts += [*self.blocks(start, part.start), part]
            start = part.stop
        self.parts += self.blocks(start, len(flat.value))

    def move(self, part, w, g, step, lr):
        if part.start not in self.shapes:
            return super().move(part, w, g, step, lr)
        m, mu = self.first[part], self.momentum
        m += (1 - mu) * (g - m)
        change = (mu * m + (1 - mu) * g).reshape(self.shapes[part.start])
        longer = 0.2 * math.sqrt(max(change.shape))
        w -= self.rate * lr * (longer * orthogonal(change).reshape(-1) + self.weight_decay * w)

"""Muon: a matrix moves along its momentum made orthogonal, so that all its directions learn equally fast.

A gradient is a sum over what a batch teaches. What images have in common makes its few large singular values, and
what only some show, such as a shape, its many small ones; AdamW's step, number by number, keeps that order.
"""

from __future__ import annotations

import math
from itertools import groupby

from ..backend import array_module
from ..nn.module import Module
from .optimizer import AdamW, Flat

QUINTIC = 3.4445, -4.7750, 2.0315
STACK = 1 << 18  # numbers that move at once, in whole matrices: threads wait for each other between short calls


def orthogonal(x, iterations: int = 5):
    """x (K, M, N) -> y (K, M, N), yₖ = Pₖ xₖ: its singular vectors, all singular values near 1 (0.7 to 1.2)

    X₀ = x / ‖x‖,   Xᵢ₊₁ = Qᵢ Xᵢ,   Qᵢ = a + b Aᵢ + c Aᵢ²,   Aᵢ = Xᵢ Xᵢᵀ

    Qᵢ is a polynomial of A₀ and commutes with Aᵢ, so Aᵢ₊₁ = Qᵢ Aᵢ Qᵢ, and only the product P of all Qᵢ meets x: for
    M = N/9 that is 0.4 of the operations. A tall x is multiplied from the right. Singular values below 1e-3 of the
    norm end lower.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    xp = array_module(x)
    tall = x.shape[-2] > x.shape[-1]
    turned = x.swapaxes(-1, -2)
    gram = turned @ x if tall else x @ turned
    square = xp.maximum(xp.trace(gram, axis1=-2, axis2=-1), 1e-14)[..., None, None]
    gram /= square
    q = product = _quintic(gram)
    for _ in range(iterations - 1):
        gram = q @ gram @ q
        q = _quintic(gram)
        product = q @ product
    product /= xp.sqrt(square)
    return x @ product if tall else product @ x


def _quintic(gram):
    a, b, c = QUINTIC
    q = gram @ gram
    q *= c
    q += b * gram
    q += a * array_module(gram).eye(gram.shape[-1], dtype=gram.dtype)
    return q


class Muon(AdamW):
    """w ← w − r lr (0.2 √max(M, N) orthogonal(μ m + (1 − μ) g) + λ w) for each matrix (M, N); AdamW for all else.

    m ← μ m + (1 − μ) g

    A matrix is the weight of a linear layer, or of a convolution with its taps and inputs as one axis; the tables of
    embeddings and the layers that read time or patches are left to AdamW. Neighbours of one shape move as a stack.
    0.2 √max(M, N) makes a step as long as one of AdamW (Liu et al. 2025, 2502.16982, eq. 4), `rate` times that is what
    it gets.
    """

    def __init__(self, flat: Flat, models: list[Module], betas: tuple[float, float], weight_decay: float, rate: float,
                 momentum: float = 0.95):
        super().__init__(flat, betas, weight_decay)
        self.rate, self.momentum = rate, momentum
        names = {id(p): name for model in models for name, p in model.named_parameters()}
        self.shapes, self.parts = {}, []
        for shape, group in groupby(flat.parts(), lambda placed: _matrix(placed[0], names[id(placed[0])])):
            places = [place for _, place in group]
            start, stop = places[0].start, places[-1].stop
            parts = self.blocks(start, stop, math.prod(shape), STACK) if shape else self.blocks(start, stop)
            self.shapes |= {part.start: shape for part in parts if shape}
            self.parts += parts

    def move(self, part, w, g, step, lr):
        if part.start not in self.shapes:
            return super().move(part, w, g, step, lr)
        m, mu, shape = self.first[part], self.momentum, self.shapes[part.start]
        m += (1 - mu) * (g - m)
        change = orthogonal((mu * m + (1 - mu) * g).reshape(-1, *shape)).reshape(-1)
        change *= 0.2 * math.sqrt(max(shape))
        w -= self.rate * lr * (change + self.weight_decay * w)


def _matrix(parameter, name):
    """The rows and columns of what moves as a matrix, else None."""
    shape = parameter.value.shape
    return None if len(shape) < 2 or "embedding" in name else (math.prod(shape[:-1]), shape[-1])

"""Muon: a weight matrix moves along its orthogonalised momentum, so that it learns all directions equally fast.

A gradient is a sum over the samples of a batch. Its few large singular values are what all images have in common; the
many small ones are what only some of them show, such as a shape. AdamW scales each element by itself and so keeps
the small ones small; Muon makes all singular values about 1.
"""

from __future__ import annotations

import math
import re
from itertools import accumulate, groupby

from ...backend import array_module, matmul
from ...ops import follow
from ..flat import Flat, as_matrix
from .adamw import AdamW

QUINTIC = 3.4445, -4.7750, 2.0315  # a, b, c of a s + b s³ + c s⁵: see `orthogonal`
LEFT_TO_ADAMW = re.compile(r"(token|position|time)_embedding")
STACK = 1 << 18  # elements of matrices updated together on a CPU: after short calls, threads wait for each other


class Muon:
    """Of each matrix (M, N), with AdamW for all else:

    m ← μ m + (1 − μ) g, then w ← w − r lr (0.2 √max(M, N) orthogonal(μ m + (1 − μ) g) + λ w)

    A matrix is the weight of a linear layer, or of a convolution, such as the patch embedding (`as_matrix`). Biases,
    norms and embeddings (of tokens, positions and times) are left to AdamW. Neighbours of one size are a stack, and a
    part is made of stacks whose matrices have the same shorter side.

    0.2 √max(M, N) gives the update the root mean square of one of AdamW (Liu et al. 2025, 2502.16982, eq. 4); r is the
    setting `muon_rate`.
    """

    def __init__(self, flat: Flat, models, settings, momentum: float = 0.95):
        self.settings, self.momentum = settings, momentum
        self.adamw = AdamW(flat, models, settings)
        self.matrix_momentum = self.adamw.first
        names = {id(p): name for model in models for name, p in model.named_parameters()}
        self.stacks, self.parts = {}, []  # by the start of a part: [(slice of the part, (M, N))]
        for shape, group in groupby(flat.slices(), lambda item: _matrix(item[0], names[id(item[0])])):
            slices = [part for _, part in group]
            start, stop = slices[0].start, slices[-1].stop
            parts = flat.blocks(start, stop, math.prod(shape), STACK) if shape else flat.blocks(start, stop)
            for part in parts:
                self._add(part, shape, flat)
        self.lengths = {start: array_module(flat.value).asarray([0.2 * math.sqrt(max(shape)) for _, shape in stacks],
                                                                flat.value.dtype)
                        for start, stacks in self.stacks.items()}

    def _add(self, part, shape, flat):
        """A part more, or a stack more of the last part, if the shorter sides are the same and it may grow so long."""
        last = self.stacks.get(self.parts[-1].start) if self.parts else None
        if shape and last and min(last[0][1]) == min(shape):
            start = self.parts[-1].start
            longer = slice(start, part.stop)
            if flat.blocks(start, part.stop, 1, STACK) == [longer]:
                last.append((slice(part.start - start, part.stop - start), shape))
                self.parts[-1] = longer
                return
        self.parts.append(part)
        if shape:
            self.stacks[part.start] = [(slice(0, part.stop - part.start), shape)]

    def state(self) -> dict:
        return self.adamw.state()

    def update(self, part: slice, w, g, average, scale, step: int, lr: float, decay: float) -> None:
        if part.start not in self.stacks:
            self.adamw.update(part, w, g, average, scale, step, lr, decay)
            return
        m, mu, stacks = self.matrix_momentum[part], self.momentum, self.stacks[part.start]
        rate = array_module(w).asarray(self.settings.muon_rate * lr, w.dtype)
        g = (1 - mu) * scale * g
        m *= mu
        m += g
        g += mu * m
        changes = orthogonal(*(g[own].reshape(-1, *shape) for own, shape in stacks))
        w *= 1 - self.settings.weight_decay * rate
        for (own, _), change, length in zip(stacks, changes, rate * self.lengths[part.start], strict=True):
            change *= length
            matrices = w[own]
            matrices -= change.reshape(-1)
        follow(average, w, decay)


def _matrix(parameter, name):
    """(M, N) of a parameter that is updated as a matrix, None of all others."""
    shape = parameter.value.shape
    return None if len(shape) < 2 or LEFT_TO_ADAMW.search(name) else as_matrix(shape)


def orthogonal(*stacks, iterations: int = 5):
    """x = U S Vᵀ -> y = U S' Vᵀ for each matrix: the same singular vectors, all singular values from 0.68 to 1.2.

    x (K, M, N) of each stack -> y (K, M, N) of each, in a list; min(M, N) is the same in all of them

    Newton-Schulz iteration: X₀ = x / ‖x‖, so that no singular value exceeds 1, then

        Xᵢ₊₁ = Qᵢ Xᵢ,   Qᵢ = a I + b Aᵢ + c Aᵢ²,   Aᵢ = Xᵢ Xᵢᵀ   (`gram`)

    Put X = U S Vᵀ in: U and V stay, and each singular value s becomes a s + b s³ + c s⁵. Jordan et al. 2024, "Muon: an
    optimizer for hidden layers in neural networks", searched for the coefficients: the steepest slope a at 0, with
    which small values grow fastest, that still takes all of them near 1. Values below 1.5e-3 of ‖x‖ are too small for
    five iterations and stay below 0.68.

    Only the small (M, M) matrices have to be iterated. Qᵢ is symmetric and commutes with Aᵢ, so

        Aᵢ₊₁ = Xᵢ₊₁ Xᵢ₊₁ᵀ = Qᵢ Aᵢ Qᵢ,   y = Q₄ Q₃ Q₂ Q₁ Q₀ X₀

    and x is multiplied once, at the end: 0.4 of the operations where M = N/9. Where M > N, the same is done with
    A₀ = X₀ᵀ X₀, (N, N), from the right. Whatever its longer side, a matrix becomes a small one for the same iteration.

    The price is that it needs float32: with factors of bfloat16 an Aᵢ may get negative eigenvalues, of which the
    polynomial makes singular values of 100 and more. An update is outside of every `product_precision`.
    """
    xp, side, ends = array_module(stacks[0]), min(stacks[0].shape[-2:]), [*accumulate(len(x) for x in stacks)]
    parts = [slice(end - len(x), end) for x, end in zip(stacks, ends, strict=True)]
    gram = xp.empty((ends[-1], side, side), stacks[0].dtype)
    for x, own in zip(stacks, parts, strict=True):
        transposed = x.swapaxes(-1, -2)
        matmul(*(transposed, x) if is_tall(x) else (x, transposed), out=gram[own])
    squared_norm = xp.maximum(diagonal(gram).sum(axis=-1), 1e-14)[:, None, None]  # zeros stay zeros
    gram /= squared_norm
    q = product = _quintic(gram)
    for _ in range(iterations - 1):
        gram = matmul(matmul(q, gram), q)
        q = _quintic(gram)
        product = matmul(q, product)
    product /= xp.sqrt(squared_norm)
    return [matmul(x, product[own]) if is_tall(x) else matmul(product[own], x)
            for x, own in zip(stacks, parts, strict=True)]


def is_tall(x) -> bool:
    return x.shape[-2] > x.shape[-1]


def diagonal(x):
    """The diagonals of matrices (K, N, N), as a view (K, N)."""
    return x.reshape(len(x), -1)[:, :: x.shape[-1] + 1]


def plus_identity(x, factor):
    """x + factor · I, in place"""
    elements = diagonal(x)
    elements += factor
    return x


def _quintic(gram):
    """Q = a I + A (b I + c A)"""
    a, b, c = QUINTIC
    return plus_identity(matmul(gram, plus_identity(c * gram, b)), a)

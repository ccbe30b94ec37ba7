"""Muon: a weight matrix moves along its orthogonalised momentum, so that it learns all directions equally fast.

A gradient is a sum over the samples of a batch. Its few large singular values are what all images have in common; the
many small ones are what only some of them show, such as a shape. AdamW scales each element by itself and so keeps
the small ones small; Muon makes all singular values about 1.
"""

from __future__ import annotations

import math
import re
from itertools import groupby

from ...backend import array_module, matmul
from ...ops import follow
from ..flat import Flat
from .adamw import AdamW

QUINTIC = 3.4445, -4.7750, 2.0315  # a, b, c of a s + b s³ + c s⁵: see `orthogonal`
LEFT_TO_ADAMW = re.compile(r"(token|position|time)_embedding")
STACK = 1 << 18  # elements of the matrices that are updated together: after short calls, threads wait for each other


class Muon:
    """Of each matrix (M, N), with AdamW for all else:

    m ← μ m + (1 − μ) g, then w ← w − r lr (0.2 √max(M, N) orthogonal(μ m + (1 − μ) g) + λ w)

    A matrix is the weight of a linear layer, or of a convolution with its taps and input channels as one axis, such as
    the patch embedding. Biases, norms and embeddings (of tokens, positions and times) are left to AdamW. Neighbours of
    the same shape are updated as one stack.

    0.2 √max(M, N) gives the update the root mean square of one of AdamW (Liu et al. 2025, 2502.16982, eq. 4); r is the
    setting `muon_rate`.
    """

    def __init__(self, flat: Flat, models, settings, momentum: float = 0.95):
        self.settings, self.momentum = settings, momentum
        self.adamw = AdamW(flat, models, settings)
        self.matrix_momentum = self.adamw.first
        names = {id(p): name for model in models for name, p in model.named_parameters()}
        self.shapes, self.parts = {}, []
        for shape, group in groupby(flat.slices(), lambda item: _matrix_shape(item[0], names[id(item[0])])):
            slices = [part for _, part in group]
            start, stop = slices[0].start, slices[-1].stop
            parts = flat.blocks(start, stop, math.prod(shape), STACK) if shape else flat.blocks(start, stop)
            self.shapes |= {part.start: shape for part in parts if shape}
            self.parts += parts

    def state(self) -> dict:
        return self.adamw.state()

    def update(self, part: slice, w, g, average, scale, step: int, lr: float, decay: float) -> None:
        if part.start not in self.shapes:
            self.adamw.update(part, w, g, average, scale, step, lr, decay)
            return
        m, mu, shape = self.matrix_momentum[part], self.momentum, self.shapes[part.start]
        g = scale * g
        m += (1 - mu) * (g - m)
        change = orthogonal((mu * m + (1 - mu) * g).reshape(-1, *shape)).reshape(-1)
        change *= 0.2 * math.sqrt(max(shape))
        w -= self.settings.muon_rate * lr * (change + self.settings.weight_decay * w)
        follow(average, w, decay)


def _matrix_shape(parameter, name):
    """(M, N) of a parameter that is updated as a matrix, None of all others."""
    shape = parameter.value.shape
    return None if len(shape) < 2 or LEFT_TO_ADAMW.search(name) else (math.prod(shape[:-1]), shape[-1])


def orthogonal(x, iterations: int = 5):
    """x = U S Vᵀ -> y = U S' Vᵀ for each matrix: the same singular vectors, all singular values from 0.68 to 1.2.

    x (K, M, N) -> y (K, M, N)

    Newton-Schulz iteration: X₀ = x / ‖x‖, so that no singular value exceeds 1, then

        Xᵢ₊₁ = Qᵢ Xᵢ,   Qᵢ = a I + b Aᵢ + c Aᵢ²,   Aᵢ = Xᵢ Xᵢᵀ   (`gram`)

    Put X = U S Vᵀ in: U and V stay, and each singular value s becomes a s + b s³ + c s⁵. Jordan et al. 2024, "Muon: an
    optimizer for hidden layers in neural networks", searched for the coefficients: the steepest slope a at 0, with
    which small values grow fastest, that still takes all of them near 1. Values below 1.5e-3 of ‖x‖ are too small for
    five iterations and stay below 0.68.

    Only the small (M, M) matrices have to be iterated. Qᵢ is symmetric and commutes with Aᵢ, so

        Aᵢ₊₁ = Xᵢ₊₁ Xᵢ₊₁ᵀ = Qᵢ Aᵢ Qᵢ,   y = Q₄ Q₃ Q₂ Q₁ Q₀ X₀

    and x is multiplied once, at the end: 0.4 of the operations where M = N/9. Where M > N, the same is done with
    A₀ = X₀ᵀ X₀, (N, N), from the right.
    """
    xp = array_module(x)
    tall = x.shape[-2] > x.shape[-1]
    transposed = x.swapaxes(-1, -2)
    gram = matmul(transposed, x) if tall else matmul(x, transposed)
    squared_norm = xp.maximum(xp.trace(gram, axis1=-2, axis2=-1), 1e-14)[..., None, None]  # zeros stay zeros
    gram /= squared_norm
    q = product = _quintic(gram)
    for _ in range(iterations - 1):
        gram = matmul(matmul(q, gram), q)
        q = _quintic(gram)
        product = matmul(q, product)
    product /= xp.sqrt(squared_norm)
    return matmul(x, product) if tall else matmul(product, x)


def _quintic(gram):
    """Q = a I + b A + c A²"""
    a, b, c = QUINTIC
    q = matmul(gram, gram)
    q *= c
    q += b * gram
    q += a * array_module(gram).eye(gram.shape[-1], dtype=gram.dtype)
    return q

"""SiLU, quick GELU, GELU and GEGLU, computed in place on blocks that stay in the cache.

Backward recomputes everything from x, except for Φ, which GEGLU keeps. The sigmoid comes from tanh, which takes half
the time of exp.

Time: GELU 0.31, 0.21; GEGLU 0.35, 0.27, both by the float32 erf. SiLU 1.6, 1.3; quick GELU 1.35, 1.0: these two save
memory, one array for each activation, at the price of computing tanh again in backward.
"""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from .. import replaces
from .erf import erf
from .passes import in_blocks

BLOCK = 1 << 15  # elements


@replaces(ops.silu)
def silu(x):
    return _swish(x, 1.0)


@replaces(ops.quick_gelu)
def quick_gelu(x):
    return _swish(x, 1.702)


def _swish(x, slope):
    """x · sigmoid(slope · x) = x (1 + t) / 2, t = tanh(h), h = slope · x / 2."""

    def forward(x):
        y = x * (0.5 * slope)
        np.tanh(y, out=y)
        y += 1
        y *= x
        y *= 0.5
        return y

    def backward(x, dy):
        # dy/dx = (1 + t) (1 + h (1 − t)) / 2
        h = x * (0.5 * slope)
        t = np.tanh(h)
        dx = 1 - t
        dx *= h
        dx += 1
        t += 1
        dx *= t
        dx *= 0.5
        dx *= dy
        return dx

    return _by_row(forward, x), lambda dy: _by_row(backward, x, dy)


@replaces(ops.gelu)
def gelu(x):
    def forward(x):
        y = _normal_cdf(x)
        y *= x
        return y

    def backward(x, dy):
        dx = _gelu_derivative(x, _normal_cdf(x))
        dx *= dy
        return dx

    return _by_row(forward, x), lambda dy: _by_row(backward, x, dy)


@replaces(ops.geglu)
def geglu(x):
    channels = x.shape[-1] // 2
    cdf = _by_row(_normal_cdf, np.split(x, 2, axis=-1)[1])

    def forward(x, cdf):
        y = cdf * x[:, channels:]
        y *= x[:, :channels]
        return y

    def backward(x, cdf, dy):
        value, gate = x[:, :channels], x[:, channels:]
        dx = np.empty_like(x)
        dvalue, dgate = dx[:, :channels], dx[:, channels:]
        dvalue[...] = gate * cdf
        dvalue *= dy
        dgate[...] = _gelu_derivative(gate, cdf)
        dgate *= value
        dgate *= dy
        return dx

    return _by_row(forward, x, cdf), lambda dy: _by_row(backward, x, cdf, dy)


def _normal_cdf(x):
    """Φ(x) = (1 + erf(x / √2)) / 2"""
    cdf = erf(x * math.sqrt(0.5))
    cdf += 1
    cdf *= 0.5
    return cdf


def _gelu_derivative(x, cdf):
    """d(x Φ(x)) / dx = Φ(x) + x φ(x), φ the standard normal density."""
    derivative = x * x
    derivative *= -0.5
    np.exp(derivative, out=derivative)
    derivative *= x
    derivative *= 1 / math.sqrt(2 * math.pi)
    derivative += cdf
    return derivative


def _by_row(function, *arrays):
    """function(*arrays), block by block, with arrays (..., C) taken as rows (M, C)."""
    y = in_blocks(function, BLOCK, *(x.reshape(math.prod(x.shape[:-1]), *x.shape[-1:]) for x in arrays))
    return y.reshape((*arrays[0].shape[:-1], *y.shape[1:]))

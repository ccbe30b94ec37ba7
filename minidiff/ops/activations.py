"""Activations, each with its derivative. All are recomputed in backward: only x is kept."""

from __future__ import annotations

import math

from ..backend import array_module
from .erf import erf
from .op import op


@op
def silu(x):
    """y = x · sigmoid(x), through sigmoid(x) = (1 + tanh(x / 2)) / 2: tanh costs half of exp and cannot overflow.

    x (...) -> y (...)
    """
    half = x * 0.5
    y = array_module(x).tanh(half)
    y *= half
    y += half

    def backward(dy):
        # dy/dx = s + x·s·(1 − s) = s + y·(1 − s)
        s = _sigmoid(x)
        dx = x * s
        dx *= 1 - s
        dx += s
        dx *= dy
        return dx

    return y, backward


@op
def quick_gelu(x):
    """y = x · sigmoid(1.702 x)

    x (...) -> y (...)

    Hendrycks & Gimpel 2016, section 2: the form that CLIP and Stable Diffusion 1 use.
    """
    s = _sigmoid(1.702 * x)

    def backward(dy):
        return dy * (s + 1.702 * x * s * (1 - s))

    return x * s, backward


@op
def gelu(x):
    """y = x · Φ(x), Φ the normal distribution function.

    x (...) -> y (...)

    Hendrycks & Gimpel 2016, section 2.
    """

    def backward(dy):
        return dy * _gelu_slope(x)

    return x * _normal_cdf(x), backward


@op
def geglu(x):
    """y = value · gelu(gate), value and gate the two halves of x's last axis.

    x (..., 2C) -> y (..., C)

    Shazeer 2020, eq. 6.
    """
    value, gate = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    cdf = _normal_cdf(gate)
    y = value * gate
    y *= cdf

    def backward(dy):
        dx = array_module(x).empty_like(x)
        dvalue, dgate = dx[..., : x.shape[-1] // 2], dx[..., x.shape[-1] // 2 :]
        dvalue[...] = gate * cdf
        dvalue *= dy
        dgate[...] = _gelu_slope(gate, cdf)
        dgate *= value
        dgate *= dy
        return dx

    return y, backward


def _sigmoid(x):
    s = array_module(x).tanh(x * 0.5)
    s += 1
    s *= 0.5
    return s


def _normal_cdf(x):
    """Φ(x) = (1 + erf(x / √2)) / 2"""
    cdf = erf(x * math.sqrt(0.5))
    cdf += 1
    cdf *= 0.5
    return cdf


def _gelu_slope(x, cdf=None):
    """d(x Φ(x)) / dx = Φ(x) + x φ(x), φ the normal density."""
    slope = x * x
    slope *= -0.5
    slope = array_module(x).exp(slope, out=slope)
    slope *= x
    slope *= 1 / math.sqrt(2 * math.pi)
    slope += _normal_cdf(x) if cdf is None else cdf
    return slope

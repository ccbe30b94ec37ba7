"""Activation functions and their derivatives."""

import math

from ..backend import array_module
from .erf import erf
from .op import op


@op
def silu(x):
    """y = x · sigmoid(x)

    x (...) -> y (...)
    """
    s = sigmoid(x)

    def backward(dy):
        return dy * s * (1 + x * (1 - s))

    return x * s, backward


@op
def quick_gelu(x):
    """y = x · sigmoid(1.702 x)

    x (...) -> y (...)

    An approximation of gelu (Hendrycks & Gimpel 2016, section 2), used by CLIP and so by Stable Diffusion 1.
    """
    s = sigmoid(1.702 * x)

    def backward(dy):
        return dy * s * (1 + 1.702 * x * (1 - s))

    return x * s, backward


@op
def gelu(x):
    """y = x · Φ(x), Φ the cumulative distribution function of the standard normal distribution.

    x (...) -> y (...)

    dy/dx = Φ(x) + x Φ'(x). Hendrycks & Gimpel 2016, section 2.
    """
    cdf = 0.5 * (1 + erf(x * math.sqrt(0.5)))                                       # Φ(x)

    def backward(dy):
        density = array_module(x).exp(-0.5 * x * x) / math.sqrt(2 * math.pi)        # Φ'(x)
        return dy * (cdf + x * density)

    return x * cdf, backward


@op
def geglu(x):
    """y = value · gelu(gate), where value and gate are the two halves of x along its last axis.

    x (..., 2C) -> y (..., C)

    Shazeer 2020, eq. 5.
    """
    value, gate = array_module(x).split(x, 2, axis=-1)
    activated, gelu_back = gelu(gate)

    def backward(dy):
        return array_module(dy).concatenate((dy * activated, gelu_back(dy * value)), axis=-1)

    return value * activated, backward


def sigmoid(x):
    """1 / (1 + exp(−x)), written as (1 + tanh(x/2)) / 2, which cannot overflow."""
    return 0.5 * (1 + array_module(x).tanh(0.5 * x))

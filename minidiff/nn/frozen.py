"""Ops with weights that stay as they are: backward returns the gradient of x alone, and computes no other.

Nor do they keep activations, since dx depends on dy and the weight only.
"""

from __future__ import annotations

from .. import ops


def linear(x, weight, bias=None):
    """y = x weightᵀ + bias, dx = dy weight

    x (..., I), weight (O, I), bias (O) -> y (..., O)
    """
    y, _ = ops.linear(x, weight, bias)
    return y, lambda dy: (ops.linear(dy, weight.T)[0],)


def conv2d(x, weight, bias=None, stride=1, padding=None):
    """y = x ∗ weight + bias, dx = dy ∗ the weight turned by 180°, with its inputs and outputs exchanged

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, P, Q, O)

    That is so where y has the size of x; else it is left to the op.
    """
    y, back = ops.conv2d(x, weight, bias, stride=stride, padding=padding)
    if stride > 1 or padding is not None or len(weight) % 2 == 0:
        return y, lambda dy: back(dy)[:1]
    turned = weight[::-1, ::-1].swapaxes(2, 3)
    return y, lambda dy: (ops.conv2d(dy, turned)[0],)

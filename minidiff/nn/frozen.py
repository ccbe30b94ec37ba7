"""Ops with weights that stay as they are: backward returns the gradient of x alone, and computes no other.

Nor do they keep activations, since dx depends on dy and the weight only. Norms have no form of their own: their dx
takes x anyway, and that of a group norm also the sums over pixels that make up the gradients of its weight and bias. (A
frozen layer norm computes these for nothing.)
"""

from __future__ import annotations

from .. import ops
from ..backend import array_module


def linear(x, weight, bias=None):
    """y = x weightᵀ + bias, dx = dy weight

    x (..., I), weight (O, I), bias (O) -> y (..., O)
    """
    y, _ = ops.linear(x, weight, bias)
    return y, lambda dy: (ops.linear(dy, weight.T)[0],)


def conv2d(x, weight, bias=None, stride=1, padding=None):
    """y = x ∗ weight + bias, dx = dy ∗ the weight turned by 180°, with its inputs and outputs exchanged

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, P, Q, O)

    Stride s: of the padded x, pixel s·j + a was read for y[j − t] by tap s·t + a. So, in one dimension and with the
    inputs and outputs of w exchanged, dpadded[s·j + a] = Σ_t dy[j − t] · w[s·t + a]: for each a < s a convolution of
    stride 1 by every s-th tap, from the a-th on, turned. dx is dpadded without its border.
    """
    y, _ = ops.conv2d(x, weight, bias, stride=stride, padding=padding)
    k, (n, height, width, inputs) = len(weight), x.shape
    if stride == 1 and padding is None and k % 2:
        return y, lambda dy: (ops.conv2d(dy, turned(weight))[0],)
    (top, _), (left, _) = padding or ((k // 2, k // 2), (k // 2, k // 2))
    taps = -(-k // stride)  # of each part of the weight, with zeros where there are fewer

    def backward(dy):
        xp, (rows, columns) = array_module(dy), dy.shape[1:3]
        wide = xp.zeros((stride * taps, stride * taps, *weight.shape[2:]), weight.dtype)
        wide[:k, :k] = weight
        dpadded = xp.zeros_like(dy, shape=(n, stride * (rows + taps), stride * (columns + taps), inputs))
        last_row, last_column = stride * (rows + taps - 1), stride * (columns + taps - 1)
        for a in range(stride):
            for b in range(stride):
                dpadded[:, a:last_row:stride, b:last_column:stride], _ = ops.conv2d(
                    dy, turned(wide[a::stride, b::stride]), padding=((taps - 1, taps - 1), (taps - 1, taps - 1)))
        return (dpadded[:, top:top + height, left:left + width],)

    return y, backward


def upsample_conv2d(x, weight, bias):
    """y = conv2d(upsample_nearest(x), weight, bias), dx = dy ∗ the sum of four turned weights, with stride 2

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, 2H, 2W, O), k odd

    A pixel of dx is the sum of 2 x 2 pixels of dy ∗ the turned weight: one window of k + 1 pixels has all of them.
    """
    y, _ = ops.upsample_conv2d(x, weight, bias)
    k = len(weight)

    def backward(dy):
        wide = array_module(dy).zeros((k + 1, k + 1, *turned(weight).shape[2:]), weight.dtype)
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            wide[a:a + k, b:b + k] += turned(weight)
        return (ops.conv2d(dy, wide, stride=2, padding=((k // 2, k // 2), (k // 2, k // 2)))[0],)

    return y, backward


def turned(weight):
    """(k, k, I, O) -> (k, k, O, I): turned by 180°, with inputs and outputs exchanged."""
    return weight[::-1, ::-1].swapaxes(2, 3)

"""Layers: an op with its parameters, initialized as in PyTorch, uniformly in ±1/√(fan in).

With `rng=None` parameters are allocated but not initialized: their values will come from a file.
"""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from . import frozen
from .module import Module, Parameter, apply


def uniform_parameter(rng, shape, fan_in):
    bound = 1 / math.sqrt(fan_in)
    return Parameter(np.empty(shape, np.float32) if rng is None
                     else rng.uniform(-bound, bound, shape).astype(np.float32))


def normal_parameter(rng, shape, std):
    return Parameter(np.empty(shape, np.float32) if rng is None
                     else std * rng.standard_normal(shape, np.float32))


class Linear(Module):
    """x (..., I) -> y (..., O)"""

    def __init__(self, rng, inputs, outputs, bias=True):
        self.weight = uniform_parameter(rng, (outputs, inputs), inputs)
        self.bias = uniform_parameter(rng, (outputs,), inputs) if bias else None

    def __call__(self, x):
        return apply(frozen.linear if self.weight.frozen else ops.linear, x, self.weight, self.bias)


class Conv2d(Module):
    """x (N, H, W, I) -> y (N, P, Q, O); the weight is (k, k, I, O) here and (O, I, k, k) in files."""

    def __init__(self, rng, inputs, outputs, kernel=3, stride=1, padding=None):
        self.weight = uniform_parameter(rng, (kernel, kernel, inputs, outputs), kernel * kernel * inputs)
        self.bias = uniform_parameter(rng, (outputs,), kernel * kernel * inputs)
        self.stride, self.padding = stride, padding

    def __call__(self, x):
        conv2d = frozen.conv2d if self.weight.frozen else ops.conv2d
        return apply(conv2d, x, self.weight, self.bias, stride=self.stride, padding=self.padding)


class GroupNorm(Module):
    """x (N, H, W, C) -> y (N, H, W, C)"""

    def __init__(self, channels, groups, eps):
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.groups, self.eps = groups, eps

    def __call__(self, x):
        return apply(ops.group_norm, x, self.weight, self.bias, groups=self.groups, eps=self.eps)


class LayerNorm(Module):
    """x (..., C) -> y (..., C)"""

    def __init__(self, channels, eps=1e-5):
        self.weight = Parameter(np.ones(channels, np.float32))
        self.bias = Parameter(np.zeros(channels, np.float32))
        self.eps = eps

    def __call__(self, x):
        return apply(ops.layer_norm, x, self.weight, self.bias, eps=self.eps)


class Embedding(Module):
    """ids (N, T) -> y (N, T, C); the vectors are initialized with standard deviation `std`."""

    def __init__(self, rng, vocabulary, channels, std):
        self.weight = normal_parameter(rng, (vocabulary, channels), std)

    def __call__(self, ids):
        return apply(ops.embedding, self.weight, ids)


class Downsample(Module):
    """Half the resolution, by a convolution with stride 2.

    x (N, H, W, C) -> y (N, P, Q, C)
    """

    def __init__(self, rng, channels, padding=None):
        self.conv = Conv2d(rng, channels, channels, stride=2, padding=padding)

    def __call__(self, x):
        return self.conv(x)


class Upsample(Module):
    """Twice the resolution: nearest-neighbour upsampling, then a convolution.

    x (N, H, W, C) -> y (N, 2H, 2W, C)
    """

    def __init__(self, rng, channels):
        self.conv = Conv2d(rng, channels, channels)

    def __call__(self, x):
        upsample_conv2d = frozen.upsample_conv2d if self.conv.weight.frozen else ops.upsample_conv2d
        return apply(upsample_conv2d, x, self.conv.weight, self.conv.bias)

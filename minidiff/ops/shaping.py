"""Concatenating and splitting arrays along their last axis."""

from ..backend import array_module
from .op import op


@op
def concat(a, b):
    """The channels of a followed by those of b.

    a (..., I), b (..., O) -> y (..., I + O)
    """
    inputs = a.shape[-1]

    def backward(dy):
        return dy[..., :inputs], dy[..., inputs:]

    return array_module(a).concatenate((a, b), axis=-1), backward


@op
def split(x):
    """The two halves of the channels.

    x (..., 2C) -> a (..., C), b (..., C)
    """
    def backward(dy):
        return array_module(dy[0]).concatenate(dy, axis=-1)

    return tuple(array_module(x).split(x, 2, axis=-1)), backward

"""Directions of vectors, and how far two of them are apart."""

from ..backend import array_module, full_precision
from .op import op


@op
def cosine_distance(x, target):
    """loss = mean over vectors of 1 − x · t / (‖x‖ ‖t‖), one minus the cosine of the angle between them

    x (N, T, C), target (N, T, C) -> loss ()
    """
    u, x_back = unit_length(full_precision(x))
    v, target_back = unit_length(full_precision(target))
    cos = (u * v).sum(axis=-1)

    def backward(dloss):
        dcos = -dloss / cos.size
        return x_back(dcos * v).astype(x.dtype, copy=False), target_back(dcos * u).astype(target.dtype, copy=False)

    return (1 - cos).mean(), backward


def unit_length(x):
    """y = x / ‖x‖ per vector; dx = (dy − y (y · dy)) / ‖x‖"""
    norm = array_module(x).sqrt((x * x).sum(axis=-1, keepdims=True))
    y = x / norm

    def backward(dy):
        return (dy - y * (y * dy).sum(axis=-1, keepdims=True)) / norm

    return y, backward

"""Nearest-neighbour upsampling to twice the resolution, alone and followed by a convolution."""

from .convolution import conv2d
from .op import op


@op
def upsample_nearest(x):
    """Repeat each pixel in a block of 2 x 2.

    x (N, H, W, C) -> y (N, 2H, 2W, C)
    """
    n, height, width, channels = x.shape

    def backward(dy):
        return dy.reshape(n, height, 2, width, 2, channels).sum(axis=(2, 4))

    return x.repeat(2, axis=1).repeat(2, axis=2), backward


@op
def upsample_conv2d(x, weight, bias):
    """y = conv2d(upsample_nearest(x), weight, bias)

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, 2H, 2W, O), k odd
    """
    upsampled, upsample_back = upsample_nearest(x)
    y, conv_back = conv2d(upsampled, weight, bias)

    def backward(dy):
        dupsampled, dweight, dbias = conv_back(dy)
        return upsample_back(dupsampled), dweight, dbias

    return y, backward

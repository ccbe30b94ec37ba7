"""Convolution as one matrix product: the window of x under the kernel becomes a row for each pixel of y (im2col)."""

from ..backend import array_module, matmul
from .op import op


@op
def conv2d(x, weight, bias=None, stride=1, padding=None):
    """y[n, p, q, o] = bias[o] + Σ x[n, stride·p + a − top, stride·q + b − left, i] · weight[a, b, i, o]

    x (N, H, W, I), weight (k, k, I, O), bias (O) -> y (N, P, Q, O)

    `padding` is ((top, bottom), (left, right)), by default k // 2 on every side. Backward keeps the windows: about
    k² / stride² times the memory of x.
    """
    xp, k = array_module(x), len(weight)
    n, height, width, inputs = x.shape
    (top, bottom), (left, right) = padding if padding is not None else ((k // 2, k // 2), (k // 2, k // 2))
    padded = xp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    rows, columns = ((size - k) // stride + 1 for size in padded.shape[1:3])
    taps = [(a, b) for a in range(k) for b in range(k)]

    def under_tap(image, a, b):
        """The pixels of a padded image under tap (a, b) of the kernel, one for each pixel of y, as a view."""
        return image[:, a : a + stride * rows : stride, b : b + stride * columns : stride]

    windows = xp.empty_like(x, shape=(n, rows, columns, k * k, inputs))
    for index, (a, b) in enumerate(taps):
        windows[:, :, :, index] = under_tap(padded, a, b)
    windows_flat = windows.reshape(n * rows * columns, k * k * inputs)
    weight_flat = weight.reshape(k * k * inputs, -1)
    y = matmul(windows_flat, weight_flat).reshape(n, rows, columns, weight.shape[-1])

    def backward(dy):
        dy_flat = dy.reshape(n * rows * columns, dy.shape[-1])
        dweight = matmul(windows_flat.T, dy_flat).reshape(weight.shape)
        dwindows = matmul(dy_flat, weight_flat.T).reshape(windows.shape)
        dpadded = xp.zeros_like(padded)
        for index, (a, b) in enumerate(taps):
            under_tap(dpadded, a, b)[...] += dwindows[:, :, :, index]
        dx = dpadded[:, top : top + height, left : left + width]
        return (dx, dweight) if bias is None else (dx, dweight, dy_flat.sum(axis=0))

    return y if bias is None else y + bias, backward

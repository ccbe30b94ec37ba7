"""Images cut into patches, the tokens of a vision transformer."""

from .op import op


@op
def patchify(x, size):
    """Cut an image into patches of size x size pixels and flatten each to one row, in reading order.

    x (N, H, W, C) -> y (N, T, F)

    Dosovitskiy et al. 2021, section 3.1. T = (H / size) (W / size), F = size² C.
    """
    n, height, width, channels = x.shape
    grid = (n, height // size, size, width // size, size, channels)
    y = x.reshape(grid).swapaxes(2, 3).reshape(n, grid[1] * grid[3], size * size * channels)

    def backward(dy):
        return dy.reshape(n, grid[1], grid[3], size, size, channels).swapaxes(2, 3).reshape(n, height, width, channels)

    return y, backward

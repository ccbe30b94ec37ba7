"""Group norm in one or two launches each way, and `column_sums` for the gradients of weight and bias."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .column_sums import column_sums
from .launch import launch, real

THREADS = 512  # of a block at most
BLOCKS = 528   # four for each multiprocessor of an H200: with fewer, a sample's pixels are divided into runs
AHEAD = 32     # pixels for each thread, at least, of a run that is not all of a sample: they take as long as a launch
WARP = 32      # neighbouring channels that a block reads at least, if there are as many


def fits(x, weight, bias, groups, eps=1e-5):
    return x.shape[-1] // groups <= THREADS


@replaces(ops.group_norm, when=fits)
def group_norm(x, weight, bias, groups, eps=1e-5):
    xp = array_module(x)
    n, height, width, channels = x.shape
    pixels, per_group = height * width, channels // groups
    across = per_group * groups_of_a_block(groups, per_group)
    rows = rows_of_a_block(across)
    runs = runs_of(pixels, rows, channels // across * n)
    sizes = pixels, channels, per_group, -(-pixels // runs)
    y, statistics = xp.empty(x.shape, x.dtype), xp.empty((n, channels, 2), real(x.dtype))

    def run(kernel, *arguments):
        launch("group_norm.cu", kernel, (channels // across, runs, n), (across, rows), *arguments, ROWS=rows)

    def sums_by(kernel, *arrays):
        """Where one block has all pixels, the next kernel fills the array itself."""
        sums = xp.empty((n, runs, 2, channels), statistics.dtype)
        if runs > 1:
            run(kernel, *arrays, sums, *sizes)
        return sums

    run("group_norm", x, weight, bias, sums_by("group_norm_sums", x), y, statistics, *sizes, eps)

    def backward(dy):
        dx, sums = xp.empty(x.shape, x.dtype), sums_by("group_norm_backward_sums", x, dy, statistics)
        run("group_norm_backward", x, dy, weight, statistics, sums, dx, *sizes)
        return dx, *column_sums(sums.reshape(n * runs, -1)).reshape(2, channels)

    return y, backward


def groups_of_a_block(groups, per_group):
    """The fewest whole groups that give a warp neighbouring channels to read, and divide the groups equally."""
    counts = [k for k in range(1, groups + 1) if groups % k == 0 and k * per_group <= THREADS]
    return next((k for k in counts if k * per_group >= WARP), counts[-1])


def rows_of_a_block(across):
    """Threads for each channel: a power of 2, so that there are few kernels to compile."""
    return 1 << (THREADS // across).bit_length() - 1


def runs_of(pixels, rows, blocks):
    """Into how many runs the pixels of a sample are divided: no more than give each thread AHEAD pixels."""
    return max(1, min(BLOCKS // max(1, blocks), pixels // (AHEAD * rows)))

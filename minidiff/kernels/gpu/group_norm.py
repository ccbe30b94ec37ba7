"""Group norm in one launch each way, and one more for the sum of the weight's and bias's gradients over samples."""

from __future__ import annotations

from ... import ops
from ...backend import array_module
from .. import replaces
from .launch import launch, real

THREADS = 512  # of a block
WARP = 32      # neighbouring channels that a block reads at least, if there are as many


def fits(x, weight, bias, groups, eps=1e-5):
    return x.shape[-1] // groups <= THREADS


@replaces(ops.group_norm, when=fits)
def group_norm(x, weight, bias, groups, eps=1e-5):
    xp = array_module(x)
    n, height, width, channels = x.shape
    per_group = channels // groups
    across = per_group * groups_of_a_block(groups, per_group)
    grid, block = (channels // across, n), (across, THREADS // across)
    y, statistics = xp.empty(x.shape, x.dtype), xp.empty((n, channels, 2), real(x.dtype))
    launch("group_norm.cu", "group_norm", grid, block, x, weight, bias, y, statistics,
           height * width, channels, per_group, eps)

    def backward(dy):
        dx, sums = xp.empty(x.shape, x.dtype), xp.empty((n, 2, channels), statistics.dtype)
        launch("group_norm.cu", "group_norm_backward", grid, block, x, dy, weight, statistics, dx, sums,
               height * width, channels, per_group)
        return dx, *sums.sum(axis=0)

    return y, backward


def groups_of_a_block(groups, per_group):
    """The fewest whole groups that give a warp neighbouring channels to read, and divide the groups equally."""
    counts = [k for k in range(1, groups + 1) if groups % k == 0 and k * per_group <= THREADS]
    return next((k for k in counts if k * per_group >= WARP), counts[-1])

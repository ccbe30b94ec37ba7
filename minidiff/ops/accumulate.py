"""Adding arrays to others in place, as gradients are added up. It has no backward pass."""

from .dispatch import replaceable


@replaceable
def accumulate(*arrays):
    """totals[i] ← totals[i] + parts[i] for arrays totals[0], parts[0], totals[1], parts[1], ...

    totals (...), parts (...) -> totals (...), in place, one after the other
    """
    for total, part in zip(arrays[::2], arrays[1::2], strict=True):
        total += part

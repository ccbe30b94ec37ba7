"""Their side of what no other benchmark has: a product in a given precision."""

from __future__ import annotations

import torch

from ..steps.peers import set_precision


def product(arrays, precision: str, device: str):
    """bf16 is the product of matrices in bfloat16, as autocast makes it."""
    a, b = (torch.tensor(array, device=device) for array in arrays)
    if precision == "bf16":
        a, b = a.bfloat16(), b.bfloat16()

    def run():
        set_precision(precision)
        return a @ b

    return run

"""How many operations the matrix products of a step take: those of its ops as they are written, whatever runs."""

from __future__ import annotations

from minidiff.ops import plain

from ..measure.products import counted
from .stages import batch_of


def operations_of(stage) -> int:
    """Multiplications and additions, forward and backward, of a diffusion stage's step.

    Kernels make fewer (Winograd's a quarter of a convolution's, folded upsampling four ninths) and others besides, so
    what they make says neither how large the work is nor compares with another library's. Each sample of a batch takes
    as many.
    """
    arrays = batch_of(stage)
    with plain(), counted() as found:
        stage.learn(1.0, *(array[:1] for array in arrays))
    for parameter in (p for model in stage.models for p in model.parameters()):
        parameter.grad = None
    return sum(found) * len(arrays[0])

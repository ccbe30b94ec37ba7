"""The norm of a gradient, and the scale that clips it. They have no backward pass."""

from ..backend import array_module, full_precision
from .dispatch import replaceable


@replaceable
def clipping(g, clip):
    """n = ‖g‖,  s = min(1, clip / (n + 10⁻⁶))

    g (...) -> n (), s ()

    s g is not longer than `clip`. The 10⁻⁶, PyTorch's, is for gradients of zeros.
    """
    xp = array_module(g)
    norm = xp.linalg.norm(full_precision(g))
    return norm, xp.minimum(1.0, clip / (norm + 1e-6)).astype(norm.dtype)

"""Losses: each is the mean over all elements, as a number on their device. `backward(1.0)` starts the backward pass.

`weight` scales the terms of each sample. It is a constant and gets no gradient.
"""

from ..backend import array_module, full_precision
from .op import op


@op
def mse(x, target, weight=None):
    """loss = mean(weight · (x − target)²)

    x (N, ...), target (N, ...), weight (N) -> loss ()
    """
    d = full_precision(x) - target
    return mean_loss(d * d, lambda: 2 * d, weight, x.dtype)


@op
def l1(x, target, weight=None):
    """loss = mean(weight · |x − target|)

    x (N, ...), target (N, ...), weight (N) -> loss ()
    """
    xp, d = array_module(x), full_precision(x) - target
    return mean_loss(xp.abs(d), lambda: xp.sign(d), weight, x.dtype)


@op
def huber(x, target, weight=None, delta=1.0):
    """loss = mean(weight · h(x − target)), h(d) = d² / 2 within ±delta, delta · (|d| − delta / 2) outside.

    x (N, ...), target (N, ...), weight (N) -> loss ()

    Huber 1964.
    """
    d = full_precision(x) - target
    clipped = d.clip(-delta, delta)                                                 # h'(d)
    return mean_loss(clipped * (d - 0.5 * clipped), lambda: clipped, weight, x.dtype)


def mean_loss(terms, derivative, weight, dtype):
    """mean(weight · terms), where the terms depend on d = x − target and `derivative()` is ∂terms / ∂d."""
    weights = 1.0 if weight is None else weight.reshape(-1, *[1] * (terms.ndim - 1)).astype(terms.dtype)

    def backward(dloss):
        dx = (derivative() * weights * (dloss / terms.size)).astype(dtype, copy=False)
        return dx, -dx

    return (terms * weights).mean(), backward


@op
def kl_standard_normal(mean, logvar):
    """loss = mean over elements of ½ (mean² + exp(logvar) − 1 − logvar): KL(N(mean, exp(logvar)) ‖ N(0, 1)).

    mean (N, ...), logvar (N, ...) -> loss ()

    Kingma & Welling 2014, appendix B.
    """
    m, log = full_precision(mean), full_precision(logvar)
    var = array_module(mean).exp(log)

    def backward(dloss):
        dmean, dlogvar = m * (dloss / m.size), 0.5 * (var - 1) * (dloss / m.size)
        return dmean.astype(mean.dtype, copy=False), dlogvar.astype(logvar.dtype, copy=False)

    return 0.5 * (m * m + var - 1 - log).mean(), backward

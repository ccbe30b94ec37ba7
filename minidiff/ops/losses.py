"""Losses of two arrays: each is a mean, a 0-d array that stays on its device; backward(1.0) starts the chain.

`weight` scales each sample's terms and is a constant: it has no gradient.
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
    inside = d.clip(-delta, delta)
    return mean_loss(inside * (d - 0.5 * inside), lambda: inside, weight, x.dtype)


def mean_loss(terms, slope, weight, dtype):
    """The mean of weighted terms of d = x − target; `slope()` gives their derivatives by d. dx = −dtarget."""
    weights = 1.0 if weight is None else weight.reshape(-1, *[1] * (terms.ndim - 1)).astype(terms.dtype)

    def backward(dloss):
        dx = (slope() * weights * (dloss / terms.size)).astype(dtype, copy=False)
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
        return dmean.astype(mean.dtype, copy=False), dlogvar.astype(mean.dtype, copy=False)

    return 0.5 * (m * m + var - 1 - log).mean(), backward

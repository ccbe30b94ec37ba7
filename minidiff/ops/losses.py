"""Losses: each is a mean, a 0-d array that stays on its device until somebody looks; backward(1.0) starts the chain.

`weight` scales each sample's share of a loss and is a constant: it has no gradient. Half precision is
computed in float32.
"""

from __future__ import annotations

from ..backend import array_module, full_precision, matmul
from .op import op


@op
def mse(x, target, weight=None):
    """loss = mean(weight · (x − target)²)

    x (N, ...), target (N, ...), weight (N) -> loss ()
    """
    return _elementwise(x, target, weight, lambda xp, d: d * d, lambda xp, d: 2.0 * d)


@op
def l1(x, target, weight=None):
    """loss = mean(weight · |x − target|)

    x (N, ...), target (N, ...), weight (N) -> loss ()
    """
    return _elementwise(x, target, weight, lambda xp, d: xp.abs(d), lambda xp, d: xp.sign(d))


@op
def huber(x, target, weight=None, delta=1.0):
    """loss = mean(weight · h(x − target)), h(d) = d² / 2 within ±delta, delta · (|d| − delta / 2) outside.

    x (N, ...), target (N, ...), weight (N) -> loss ()

    Huber 1964.
    """

    def value(xp, d):
        inside = xp.clip(d, -delta, delta)
        return inside * (d - 0.5 * inside)

    return _elementwise(x, target, weight, value, lambda xp, d: xp.clip(d, -delta, delta))


def _elementwise(x, target, weight, value, slope):
    """The mean over all elements of value(x − target), each sample times its weight; gradients of both operands."""
    xp, dtype = array_module(x), x.dtype
    difference = full_precision(x) - target
    share = None if weight is None else weight.reshape(-1, *(1,) * (x.ndim - 1)).astype(difference.dtype)
    terms = value(xp, difference)
    loss = (terms if share is None else terms * share).mean()

    def backward(dloss):
        dx = slope(xp, difference)
        dx *= dloss / difference.size
        if share is not None:
            dx *= share
        dx = dx.astype(dtype, copy=False)
        return dx, -dx

    return loss, backward


@op
def kl_standard_normal(mean, logvar):
    """loss = mean over elements of ½ (mean² + exp(logvar) − 1 − logvar): KL(N(mean, exp(logvar)) ‖ N(0, 1)).

    mean (N, ...), logvar (N, ...) -> loss ()

    Kingma & Welling 2014, appendix B.
    """
    centre, log = full_precision(mean), full_precision(logvar)
    var = array_module(mean).exp(log)
    loss = 0.5 * (centre * centre + var - 1 - log).mean()

    def backward(dloss):
        dmean = centre * (dloss / mean.size)
        dlogvar = (var - 1) * (0.5 * dloss / mean.size)
        return dmean.astype(mean.dtype, copy=False), dlogvar.astype(mean.dtype, copy=False)

    return loss, backward


@op
def cross_entropy(logits, labels):
    """loss = −mean over rows of log softmax(logits)[label]

    logits (N, V), labels (N) -> loss ()
    """
    xp = array_module(logits)
    rows = xp.arange(logits.shape[0])
    shifted = full_precision(logits) - logits.max(axis=-1, keepdims=True)
    log_probs = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
    loss = -log_probs[rows, labels].mean()

    def backward(dloss):
        dlogits = xp.exp(log_probs)
        dlogits[rows, labels] -= 1
        dlogits *= dloss / logits.shape[0]
        return dlogits.astype(logits.dtype, copy=False), None

    return loss, backward


@op
def contrastive(text, image, logit_scale):
    """loss = ½ (CE(s · t iᵀ, diagonal) + CE(s · i tᵀ, diagonal)), t and i the rows scaled to length 1, s = exp(scale).

    text (N, C), image (N, C), logit_scale () -> loss ()

    Radford et al. 2021, figure 3 (symmetric InfoNCE).
    """
    xp = array_module(text)
    text_unit, text_back = _normalise(full_precision(text))
    image_unit, image_back = _normalise(full_precision(image))
    scale = xp.exp(full_precision(logit_scale))
    similarity = matmul(text_unit, image_unit.T)
    labels = xp.arange(text.shape[0])
    by_text, text_loss_back = cross_entropy(similarity * scale, labels)
    by_image, image_loss_back = cross_entropy(similarity.T * scale, labels)

    def backward(dloss):
        dlogits = text_loss_back(0.5 * dloss)[0] + image_loss_back(0.5 * dloss)[0].T
        dtext = text_back(matmul(dlogits, image_unit) * scale)
        dimage = image_back(matmul(dlogits.T, text_unit) * scale)
        dscale = (dlogits * similarity).sum() * scale
        return dtext.astype(text.dtype, copy=False), dimage.astype(image.dtype, copy=False), dscale

    return 0.5 * (by_text + by_image), backward


def _normalise(x):
    """y = x / ‖x‖ per row; dx = (dy − y (y · dy)) / ‖x‖"""
    norm = array_module(x).sqrt((x * x).sum(axis=-1, keepdims=True))
    y = x / norm
    return y, lambda dy: (dy - y * (y * dy).sum(axis=-1, keepdims=True)) / norm

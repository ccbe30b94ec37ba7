"""Losses: each is a mean, a 0-d array that stays on its device until somebody looks; backward(1.0) starts the chain.

`weight` (N) scales each sample's share of a loss. Half precision is summed in float32.
"""

from __future__ import annotations

from ..backend import array_module, matmul
from .op import op
from .softmax import stable_softmax


@op
def mse(x, target, weight=None):
    """loss = mean(weight · (x − target)²)

    x (N, ...), target (N, ...) -> loss ()
    """
    return _elementwise(x - target, weight, lambda xp, d: d * d, lambda xp, d: 2.0 * d)


@op
def l1(x, target, weight=None):
    """loss = mean(weight · |x − target|)

    x (N, ...), target (N, ...) -> loss ()
    """
    return _elementwise(x - target, weight, lambda xp, d: xp.abs(d), lambda xp, d: xp.sign(d))


@op
def huber(x, target, weight=None, delta=1.0):
    """loss = mean(weight · h(x − target)), h(d) = d² / 2 within ±delta, delta · (|d| − delta / 2) outside.

    x (N, ...), target (N, ...) -> loss ()

    Huber 1964.
    """

    def value(xp, d):
        inside = xp.clip(d, -delta, delta)
        return inside * (d - 0.5 * inside)

    return _elementwise(x - target, weight, value, lambda xp, d: xp.clip(d, -delta, delta))


def _elementwise(difference, weight, value, slope):
    """The mean over all elements of value(difference), each sample times its weight; gradients of both operands."""
    xp = array_module(difference)
    share = None if weight is None else weight.reshape(-1, *(1,) * (difference.ndim - 1)).astype(difference.dtype)
    terms = value(xp, difference)
    loss = (terms if share is None else terms * share).mean(dtype=_sum_dtype(difference))

    def backward(dloss):
        dx = slope(xp, difference)
        dx *= dloss / difference.size
        if share is not None:
            dx *= share
        return dx, -dx

    return loss, backward


@op
def kl_standard_normal(mean, logvar):
    """loss = mean over elements of ½ (mean² + exp(logvar) − 1 − logvar): KL(N(mean, exp(logvar)) ‖ N(0, 1)).

    mean (N, ...), logvar (N, ...) -> loss ()

    Kingma & Welling 2014, appendix B.
    """
    xp = array_module(mean)
    var = xp.exp(logvar)
    loss = 0.5 * (mean * mean + var - 1 - logvar).mean(dtype=_sum_dtype(mean))

    def backward(dloss):
        share = dloss / mean.size
        return mean * share, (var - 1) * (0.5 * share)

    return loss, backward


@op
def cross_entropy(logits, labels):
    """loss = −mean over rows of log softmax(logits)[label]

    logits (N, V), labels (N) -> loss ()
    """
    xp = array_module(logits)
    probs = stable_softmax(logits, -1)
    rows = xp.arange(logits.shape[0])
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = xp.log(xp.exp(shifted.astype(probs.dtype, copy=False)).sum(axis=-1))
    loss = (log_sum - shifted[rows, labels]).mean()

    def backward(dloss):
        dlogits = probs.copy()
        dlogits[rows, labels] -= 1
        dlogits *= dloss / logits.shape[0]
        return dlogits.astype(logits.dtype, copy=False), None

    return loss, backward


@op
def contrastive(text, image, logit_scale):
    """loss = ½ (CE(s · t iᵀ, diagonal) + CE(s · i tᵀ, diagonal)), t and i the rows normalised to length 1, s = exp(scale).

    text (N, C), image (N, C), logit_scale () -> loss ()

    Radford et al. 2021, figure 3 (symmetric InfoNCE).
    """
    xp = array_module(text)
    text_unit, text_back = _normalise(text)
    image_unit, image_back = _normalise(image)
    scale = xp.exp(logit_scale)
    similarity = matmul(text_unit, image_unit.T)
    labels = xp.arange(text.shape[0])
    by_text, text_loss_back = cross_entropy(similarity * scale, labels)
    by_image, image_loss_back = cross_entropy(similarity.T * scale, labels)

    def backward(dloss):
        dlogits = text_loss_back(0.5 * dloss)[0] + image_loss_back(0.5 * dloss)[0].T
        dtext = text_back(matmul(dlogits, image_unit) * scale)
        dimage = image_back(matmul(dlogits.T, text_unit) * scale)
        return dtext, dimage, (dlogits * similarity).sum() * scale

    return 0.5 * (by_text + by_image), backward


def _normalise(x):
    """y = x / ‖x‖ per row; dx = (dy − y (y · dy)) / ‖x‖"""
    norm = array_module(x).sqrt((x * x).sum(axis=-1, keepdims=True))
    y = x / norm
    return y, lambda dy: (dy - y * (y * dy).sum(axis=-1, keepdims=True)) / norm


def _sum_dtype(x):
    return "float32" if x.dtype.itemsize == 2 else x.dtype

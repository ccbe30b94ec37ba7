"""Wrappers around a network that steer it with a prompt or keep part of an image.

A negative prompt is simply another context in place of the empty prompt's.
"""

from __future__ import annotations

import math

from ..backend import array_module


def classifier_free(cond, uncond, scale):
    """uncond + scale (cond − uncond); scale 1 is `cond` (Ho & Salimans, 2207.12598).

    cond (N, H, W, C), uncond (N, H, W, C) -> y (N, H, W, C)
    """
    return uncond + scale * (cond - uncond)


def rescaled(guided, cond, amount):
    """guided (amount r + 1 − amount), with r = std(cond) / std(guided) of each image.

    Guidance raises the standard deviation, which overexposes images (Lin et al., 2305.08891, eq. 15-16). With amount 1
    it is that of `cond` again.

    guided (N, H, W, C), cond (N, H, W, C) -> y (N, H, W, C)
    """
    axes = tuple(range(1, cond.ndim))
    ratio = cond.std(axis=axes, keepdims=True) / guided.std(axis=axes, keepdims=True)
    return guided * (amount * ratio + (1.0 - amount))


def guided(model, cond, uncond, scale=7.5, rescale=0.0, interval=(0.0, math.inf), read=lambda context: [context]):
    """The guided `predict(x, time)` of `model(x, t, *read(context))`, which gets the batch [uncond, cond] in one call.

    cond (N, T, D), uncond (N or 1, T, D). `read` prepares a context once for all steps. Guidance acts only where
    low < σ/α <= high for `interval` = (low, high): it does harm early and has no effect late (Kynkäänniemi et al.,
    2404.07724). Elsewhere, and everywhere with a scale of 1 or less, the model gets cond alone, at half the cost:
    models that were distilled to need no guidance are published with a scale of 0.
    """
    xp, (low, high) = array_module(cond), interval
    both, alone = read(xp.concatenate([xp.broadcast_to(uncond, cond.shape), cond])), read(cond)

    def predict(x, time):
        inside = low * time.alpha < time.sigma and (math.isinf(high) or time.sigma <= high * time.alpha)
        if scale <= 1 or not inside:
            return model(x, time.t, *alone)
        without, with_prompt = xp.split(model(xp.concatenate([x, x]), time.t, *both), 2)
        answer = classifier_free(with_prompt, without, scale)
        return rescaled(answer, with_prompt, rescale) if rescale else answer

    return predict


def inpainted(denoise, known, mask):
    """A `denoise` that answers `known` where the mask is 0, so only the part where the mask is 1 is painted.

    Any sampler then takes the known part from noise along its own path, to exactly `known` if its last step ends
    without noise. No noisy images are blended, and what multistep samplers remember stays consistent.

    known (N, H, W, C), mask (N or 1, H, W, 1)
    """
    return lambda x, time: mask * denoise(x, time) + (1.0 - mask) * known


def inpainting(model, mask, masked):
    """The `model` of x alone, of one that was trained to inpaint: it reads x, the mask and the image without its part.

    (Rombach et al. 2022, section 4.5.) Both are repeated for as many rows as x has.

    mask (1, H, W, 1), masked (1, H, W, C)
    """
    xp, known = array_module(mask), (mask, masked)

    def read(x, t, *context):
        return model(xp.concatenate([x, *(xp.broadcast_to(a, (len(x), *a.shape[1:])) for a in known)], -1), t, *context)

    return read

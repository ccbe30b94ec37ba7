"""Wrappers around a network: steer it with a prompt, and keep a part of an image.

A negative prompt is nothing but another context in the place of the empty prompt's.
"""

from __future__ import annotations

import math

from ..backend import array_module


def classifier_free(cond, uncond, scale):
    """uncond + scale (cond - uncond); scale 1 is no guidance (Ho & Salimans, 2207.12598).

    cond (N, H, W, C), uncond (N, H, W, C) -> y (N, H, W, C)
    """
    return uncond + scale * (cond - uncond)


def rescaled(guided, cond, amount):
    """Give each image's answer part of the spread back that guidance changed (Lin et al., 2305.08891, eq. 15-16).

    guided (N, H, W, C), cond (N, H, W, C) -> y (N, H, W, C)
    """
    axes = tuple(range(1, cond.ndim))
    ratio = cond.std(axis=axes, keepdims=True) / guided.std(axis=axes, keepdims=True)
    return guided * (amount * ratio + (1.0 - amount))


def guided(model, cond, uncond, scale=7.5, rescale=0.0, interval=(0.0, math.inf), read=lambda context: [context]):
    """`predict(x, time)` of `model(x, t, *read(context))`, called once a step with the batch [uncond, cond].

    cond (N, T, D), uncond (N or 1, T, D); `read` does what is the same for every step. Outside `interval`,
    low < sigma / alpha <= high, and for scale 1, only cond is asked, at half the cost: guidance hurts early and is
    useless late (Kynkäänniemi et al., 2404.07724).
    """
    xp, (low, high) = array_module(cond), interval
    both, alone = read(xp.concatenate([xp.broadcast_to(uncond, cond.shape), cond])), read(cond)

    def predict(x, time):
        inside = low * time.alpha < time.sigma and (math.isinf(high) or time.sigma <= high * time.alpha)
        if scale == 1 or not inside:
            return model(x, time.t, *alone)
        without, with_prompt = xp.split(model(xp.concatenate([x, x]), time.t, *both), 2)
        answer = classifier_free(with_prompt, without, scale)
        return rescaled(answer, with_prompt, rescale) if rescale else answer

    return predict


def inpainted(denoise, known, mask):
    """`denoise` that answers `known` where the mask is 0, so that only the part where it is 1 is painted.

    Every sampler then carries the known part along its own path from noise to exactly `known`: no blending of noisy
    images, and the memory of multistep samplers stays consistent.

    known (N, H, W, C), mask (N or 1, H, W, 1)
    """
    return lambda x, time: mask * denoise(x, time) + (1.0 - mask) * known

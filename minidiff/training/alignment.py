"""Representation alignment: the UNet learns to see in noise what the image encoder sees in the image without it.

A feature map h of the UNet on its way down is compared, place by place, with the states z of the patches of the same
image in the contrastive model's image encoder:

    loss = mean (1 − cos(projector(h), z − z̄)),        added to the denoising loss, times `diffusion.alignment`

z̄ is the mean of all states: what all have in common teaches nothing. Denoising alone finds out late which shape is
where, as the squared error hardly depends on it; the image encoder has been told by captions. The projector is needed
in training only, and no model has it. Yu et al. 2024, 2410.06940; that it is better to stop it after a while: Wang et
al. 2025, 2505.16792.
"""

from __future__ import annotations

from .. import ops
from ..backend import random_stream
from ..data.purposes import Purpose
from ..nn.layers import Linear
from ..nn.module import Module, chain
from .presets import Settings

WIDER = 4  # hidden channels of the projector, relative to those of the feature map


class Projector(Module):
    """h (N, P, Q, C) -> y (N, T, D), T = P Q: from channels of the UNet to those of the image encoder."""

    def __init__(self, rng, inputs, outputs):
        self.linear_1 = Linear(rng, inputs, WIDER * inputs)
        self.linear_2 = Linear(rng, WIDER * inputs, outputs)

    def __call__(self, h):
        n, height, width, channels = shape = h.shape
        y, back = chain(h.reshape(n, height * width, channels), self.linear_1, ops.silu, self.linear_2)
        return y, lambda dy: back(dy).reshape(shape)


def aligns(settings: Settings) -> bool:
    """Whether a run with these settings aligns: its whole UNet learns, an image encoder sees each image whole, and a
    level of the UNet has a place for each of its patches.
    """
    without = settings.data.buckets or settings.text.class_labels or settings.lora.rank
    return settings.diffusion.alignment > 0 and not without and settings.image.patch_size in place_sides(settings)


def aligned_level(settings: Settings) -> int:
    """The level of the UNet whose feature maps have a place for each patch of the image encoder."""
    return place_sides(settings).index(settings.image.patch_size)


def place_sides(settings: Settings) -> list[int]:
    """How many pixels wide a place of a feature map is, at each level of the UNet."""
    latent = 2 ** (len(settings.autoencoder.block_out_channels) - 1)
    return [latent * 2**level for level in range(len(settings.unet.block_out_channels))]


def projector_of(settings: Settings) -> Projector:
    return Projector(random_stream(settings.seed, Purpose.PROJECTOR),
                     settings.unet.block_out_channels[aligned_level(settings)], settings.image.hidden_size)


def aligned_loss(unet, level, projector, weight, text_encoder, question, states):
    """loss = denoising loss + weight · mean (1 − cos(projector(h), states)), h the feature map of the UNet's `level`

    question: x, timesteps, ids, answer, weight of `denoising_loss`; states (N, T, D) -> losses, backward
    """
    x, timesteps, ids, answer, of_sample = question
    context, text_back = text_encoder(ids)
    (y, h), unet_back = unet.watched(x, timesteps, context, level=level)
    loss, loss_back = ops.mse(y, answer, of_sample)
    seen, projector_back = projector(h)
    distance, distance_back = ops.cosine_distance(seen, states)

    def backward(fraction):
        dseen, _ = distance_back(weight * fraction)
        _, _, dcontext = unet_back(loss_back(fraction)[0], projector_back(dseen))
        text_back(dcontext)

    return {"loss": loss, "alignment": distance}, backward

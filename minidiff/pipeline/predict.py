"""Forward passes of a pipeline's models: without NumPy's warnings, on several cores, and recorded where that pays."""

from __future__ import annotations

from collections.abc import Callable

from ..backend import array_module, captured, device_of
from ..models.unet import UNet2DConditionModel
from ..nn.threads import LEAST_RECORDED, LEAST_ROWS, is_wide, share_rows
from .finite import quiet

LEAST_CALLS = 8  # of a UNet on a CPU that make up for recording it, if it is not wide


def forward(unet: UNet2DConditionModel, function: Callable, *arrays, least: int = LEAST_ROWS):
    """function(*arrays), each row on its own, for one of the models that belong to this UNet."""
    return share_rows(quiet(function), *arrays, wide=is_wide(unet), least=least)


def predictor(unet: UNet2DConditionModel, calls: int = 1) -> Callable:
    """`predict(x, t, *read)`, the UNet's answer at a time t to noisy latents, for what `unet.read`, or the text
    encoder, made of the texts. It will be called about `calls` times, between which the weights must stay as they are.

    x (N, h, w, C) -> y (N, h, w, C)
    """
    device, least = device_of(unet.conv_in.weight.value), LEAST_ROWS
    answer = first_of(unet)
    pays = calls > 1 if device == "cuda" else calls >= LEAST_CALLS and not is_wide(unet)
    if pays:
        answer, least = captured(answer, device, pure=True), LEAST_RECORDED

    def predict(x, t, *read):
        times = array_module(x).full(len(x), t)
        return forward(unet, answer, x, times, *read, least=least).copy()  # the next replay overwrites the original

    return predict


def first_of(model: Callable) -> Callable:
    """The model without its backward pass."""
    return lambda *arrays: model(*arrays)[0]

"""One step of training: the gradients of each stage, some derivatives beside difference quotients, and a loss without
a part of the UNet."""

from __future__ import annotations

import numpy as np

from ..backend import random_stream, to_host
from ..diffusion.objectives import add_noise, draw_times, loss_weight, target
from ..models.unet import UNet2DConditionModel
from ..nn.blas import blas_threads
from ..nn.module import Parameter, apply
from ..nn.residual import ResBlock
from ..training.diffusion import denoising_loss
from .images import rounded
from .run import Run

SOURCES = (denoising_loss, apply, ResBlock)
ROWS = 4     # images of the batch
STEP = 1e-5  # of the difference quotient, in float64
PARTS = ("down_blocks", "mid_block", "up_blocks")


@blas_threads(1)
def view(run: Run) -> dict:
    if not run.is_small:
        return {"missing": "too_large"}
    unet = copy_in_float64(run.pipe.unet)
    parameters = dict(unet.named_parameters())
    t, question = batch(run)
    losses, backward = denoising_loss(unet, *question)
    backward(1.0)
    return {
        "loss": float(losses["loss"]), "without_middle": without_middle(unet, question), "times": rounded(np.sort(t)),
        "weighting": run.about.settings.diffusion.weighting, "stages": rounded(stage_norms(run, parameters)),
        "checks": [check(unet, question, *steepest(parameters, part)) for part in PARTS], "h": STEP,
    }


def copy_in_float64(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A copy on the host whose values can be changed."""
    copy = unet.replica()
    for parameter in copy.parameters():
        parameter.value = np.array(to_host(parameter.value), np.float64)
    return copy


def batch(run: Run) -> tuple[np.ndarray, tuple]:
    """Times as training draws them, and what `denoising_loss` takes after the UNet: true latents with noise, the
    caption and the weights of errors."""
    own, rng = run.about.settings.diffusion, random_stream(run.seed)
    x0 = run.true_latents[0][:ROWS].astype(np.float64)
    noise, schedule = rng.standard_normal(x0.shape), run.scheduler.schedule
    t = draw_times(schedule, rng, len(x0), own.time_shift, own.middle_fraction)
    alpha, sigma = schedule.at(t)
    context = np.repeat(to_host(run.context_of(run.prompt)).astype(np.float64), len(x0), axis=0)
    kind = run.scheduler.prediction_type
    return t, (lambda ids: (context, lambda dy: None), add_noise(x0, noise, alpha, sigma),
               np.floor(t).astype(np.float64), None, target(kind, x0, noise, alpha, sigma),
               loss_weight(own.weighting, kind, alpha, sigma))


def steepest(parameters: dict, part: str) -> tuple[str, Parameter, tuple]:
    """The element with the largest derivative of a part of the UNet: its parameter's name, the parameter, its index."""
    named = {name: p for name, p in parameters.items() if name.startswith(f"{part}.")}
    name = max(named, key=lambda name: np.abs(named[name].grad).max())
    grad = named[name].grad
    return name, named[name], np.unravel_index(np.abs(grad).argmax(), grad.shape)


def check(unet: UNet2DConditionModel, question: tuple, name: str, parameter: Parameter, index: tuple) -> dict:
    """One derivative twice: from backward, and as a difference quotient."""
    gradient, quotient = float(parameter.grad[index]), difference(unet, question, parameter.value, index)
    return {"name": name, "index": [int(i) for i in index], "backward": gradient, "quotient": quotient,
            "off": abs(quotient - gradient) / abs(gradient)}


def difference(unet: UNet2DConditionModel, question: tuple, value: np.ndarray, index: tuple) -> float:
    """(loss(w + h) − loss(w − h)) / 2h for one element w of a parameter."""
    w, found = value[index], []
    for moved in (w + STEP, w - STEP):
        value[index] = moved
        found.append(float(denoising_loss(unet, *question)[0]["loss"]))
    value[index] = w
    return (found[0] - found[1]) / (2 * STEP)


def without_middle(unet: UNet2DConditionModel, question: tuple) -> float:
    """The loss where mid_block returns zeros: what is left came through skip connections."""
    kept, unet.mid_block = unet.mid_block, lambda h, *_: (np.zeros_like(h), None)
    loss = float(denoising_loss(unet, *question)[0]["loss"])
    unet.mid_block = kept
    return loss


def stage_norms(run: Run, parameters: dict) -> list[dict]:
    """For each stage of the UNet in running order: ‖gradient‖, ‖weights‖."""
    stages = [name.removeprefix("unet.") for name in run.steps[0].outputs if name != "unet"]
    found = []
    for stage in stages:
        own = [p for name, p in parameters.items() if name.startswith(f"{stage}.")]
        found.append({"name": stage, "gradient": norm([p.grad for p in own]), "weight": norm([p.value for p in own])})
    return found


def norm(arrays: list) -> float:
    return float(np.sqrt(sum(float((array**2).sum()) for array in arrays)))

"""Losses on images that are never trained on: where they rise while the training loss falls, a model learns by heart.

The images, their noise and their noise levels are the same at each reading, so that a curve shows the model's progress
alone. They come from random streams of their own, and nothing that training reads is written: it has the same bits with
and without. `loop.py` says at which steps it reads.

A worker has at least 4 samples of a batch, and a backward pass takes twice as long as a forward pass. So a step takes
as long as at least 12 forward passes, and a reading of 64 samples at most 64 / 12 steps: 1.8 % of 300.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from ..backend import array_module, product_precision, random_stream, to_device, to_host
from ..data.images import at_once
from ..data.purposes import Purpose
from ..data.reading.captions import folded
from ..data.source import Source
from ..models.autoencoder import AutoencoderKL
from ..ops import fast, no_grad
from .autoencoder import AutoencoderTraining, latent_shape, reconstruction_loss
from .contrastive import ContrastiveTraining
from .diffusion import DiffusionTraining
from .presets import StageSettings

SAMPLES = 64
PART = 16         # samples computed at once, of images of 64 x 64 pixels
CAPTIONED = 4     # times as many images as a contrastive batch has, for enough different captions
DRAWN = 4096      # training times, from which each band takes its own
EDGES = (0.5, 2, 8)  # of bands of σ/α
BANDS = ("0-0.5", "0.5-2", "2-8", "8-inf")

Losses = Callable[[], dict[str, float]]


def held_out_losses(stage, source: Source, autoencoder: Callable[[], AutoencoderKL]) -> Losses:
    """A function that computes the held-out losses of a stage as it is now: {} if the source has too few images.

    `autoencoder()` encodes the images of the diffusion stage.
    """
    if isinstance(stage, AutoencoderTraining):
        return quick(stage, of_autoencoder(stage, source))
    if isinstance(stage, ContrastiveTraining):
        return quick(stage, of_contrastive(stage, source))
    return quick(stage, of_diffusion(stage, source, autoencoder))


def quick(stage, read):
    """The same losses as floats, computed without gradients and with the kernels that training uses."""
    def losses():
        with no_grad(), fast(stage.settings.winograd), product_precision(stage.settings.precision):
            return {name: float(value) for name, value in read().items()}

    return losses


def of_autoencoder(stage: AutoencoderTraining, source: Source) -> Losses:
    """The training loss of up to 64 images."""
    @cache
    def batch():
        images = source.held_out(sample_count(stage.settings.train_autoencoder)).images
        noise = stream(stage).standard_normal(latent_shape(stage.model.config, images), np.float32)
        return images, noise

    def read():
        found = [(reconstruction_loss(stage.model, images, noise, stage.settings.autoencoder)[0]["loss"], len(images))
                 for images, noise in in_parts(stage, *batch())]
        return {"held_out": sum(loss * n for loss, n in found) / len(batch()[0])} if found else {}

    return read


def of_contrastive(stage: ContrastiveTraining, source: Source) -> Losses:
    """The loss of one batch of pairs, as large as a training batch, since the loss depends on that, without twins.

    No caption occurs twice: it would be the negative of its own image.
    """
    @cache
    def batch():
        size, rows = stage.settings.train_contrastive.batch_size, {}
        pairs = source.held_out(CAPTIONED * size)
        for row, caption in enumerate(pairs.captions):
            rows.setdefault(folded(caption), row)
        chosen = [*rows.values()][:size]
        captions = [pairs.captions[row] for row in chosen]
        return (pairs.images[chosen], stage.tokenizer(captions)) if len(chosen) > 1 else None

    def read():
        if batch() is None:
            return {}
        found = [(stage.model.embed_text(ids)[0], stage.model.embed_image(images)[0])
                 for images, ids in in_parts(stage, *batch())]
        text, image = (array_module(parts[0]).concatenate(parts) for parts in zip(*found, strict=True))
        return {"held_out": stage.model.contrast(text, image)[0]}

    return read


def of_diffusion(stage: DiffusionTraining, source: Source, autoencoder: Callable[[], AutoencoderKL]) -> Losses:
    """The squared errors of the answers in each band of σ/α, and `held_out`, the training loss.

    Each band has as many samples, of times as training draws them. So the training loss is estimated by the mean
    weighted error of each band, times the probability that training draws a time of this band.
    """
    @cache
    def batch():
        count = sample_count(stage.settings.train_diffusion)
        held_out = source.held_out(count)
        if not held_out.captions:
            return None
        rng = stream(stage)
        t = stage.draw_times(rng, DRAWN)
        bands = band_of(*stage.schedule.at(t))
        chosen = np.concatenate([np.flatnonzero(bands == band)[:count // len(BANDS)] for band in range(len(BANDS))])
        rows = np.arange(len(chosen)) % len(held_out.captions)
        mean = np.concatenate([to_host(autoencoder().encode(images)[0][0]).astype(np.float16)
                               for [images] in in_parts(stage, held_out.images)])[rows]
        ids = stage.drop_captions(rng, stage.tokenizer(held_out.captions)[rows])
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        question = stage.question(mean, noise, t[chosen], ids)
        return question, bands[chosen], np.bincount(bands, minlength=len(BANDS)) / DRAWN

    def read():
        if batch() is None:
            return {}
        question, bands, probability = batch()
        errors = np.concatenate([to_host(squared_errors(stage, *part)) for part in in_parts(stage, *question)])
        weighted = errors * question[-1]
        present = [band for band in range(len(BANDS)) if band in bands]
        total = sum(probability[band] * weighted[bands == band].mean() for band in present)
        return {"held_out": total} | {f"held_out.{BANDS[band]}": errors[bands == band].mean() for band in present}

    return read


def squared_errors(stage, x, timesteps, ids, answer, weight):
    """x (N, H, W, C), timesteps (N), ids (N, T), answer (N, H, W, C) -> errors (N)"""
    context, _ = stage.read_text(ids)
    y, _ = stage.unet(x, timesteps, context)
    return ((y - answer) ** 2).mean(axis=(1, 2, 3))


def band_of(alpha: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The index of the band in which σ/α lies, for α = 0 the last."""
    return sum((sigma >= edge * alpha).astype(np.int64) for edge in EDGES)


def sample_count(settings: StageSettings) -> int:
    """64 samples, or fewer if a batch has fewer than 4: a reading should not take longer, relative to a step."""
    return min(SAMPLES, SAMPLES // 4 * settings.batch_size * settings.accumulation)


def stream(stage):
    return random_stream(stage.settings.seed, Purpose.HELD_OUT_NOISE)


def in_parts(stage, *arrays):
    """The arrays on the stage's device, a few rows at a time."""
    size = at_once(PART, stage.settings.size)
    for first in range(0, len(arrays[0]), size):
        yield [to_device(array[first:first + size], stage.device) for array in arrays]

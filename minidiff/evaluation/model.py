"""What a model makes of captions and images: drawings, reconstructions, embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from ..backend import array_module, normal, to_host
from ..data.images import at_once, bytes_of
from ..data.scenes import to_float
from ..diffusion.scheduler_config import from_config
from ..errors import UnreadPrompt
from ..models.autoencoder import AutoencoderKL
from ..models.clip import CLIPModel
from ..nn.module import Module
from ..nn.threads import share_rows
from ..pipeline import GUIDANCE, STEPS, Pipeline
from ..tokenizer import Tokenizer

BATCH = 32


def drawings(pipe: Pipeline, captions: Sequence[str]) -> Iterator[np.ndarray]:
    """Draw the captions, number i from the noise of seed i: images, uint8 (S, S, 3).

    One warning says how many captions the model reads in part only.
    """
    if faults := [*filter(None, map(pipe.tokenizer.unread, captions))]:
        warnings.warn(f"{len(faults)} of {len(captions)} prompts are not read as a whole, such as: {faults[0]}",
                      UnreadPrompt, stacklevel=2)
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.out_channels
    for first in range(0, len(captions), BATCH):
        part = captions[first:first + BATCH]
        noise = normal(range(first, first + len(part)), (side, side, channels))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadPrompt)
            images = pipe(part, latents=noise, seed=first)
        yield from map(np.asarray, images)


def settings(pipe: Pipeline, count: int) -> dict:
    """Everything besides the model that `count` drawings depend on."""
    return {"noise_seeds": [0, count - 1], "sampler": from_config(pipe.scheduler).sampler,
            "num_inference_steps": pipe.scheduler.get("num_inference_steps", STEPS),
            "guidance_scale": pipe.scheduler.get("guidance_scale", GUIDANCE)}


def reconstruct(vae: AutoencoderKL, true: np.ndarray) -> np.ndarray:
    """Images, uint8 (N, S, S, 3), encoded to the mean of their latents and decoded again."""
    def through(images):
        (mean, _), _ = vae.encode(images)
        return vae.decode(mean)[0]

    size = at_once(BATCH, true.shape[1])
    parts = [share_rows(through, placed(vae, to_float(true[first:first + size])))
             for first in range(0, len(true), size)]
    return np.concatenate([bytes_of(to_host(part)) for part in parts])


def embed_text(clip: CLIPModel, tokenizer: Tokenizer, captions: Sequence[str]) -> np.ndarray:
    """The embeddings of captions, (N, F), of unit length."""
    return unit(share_rows(lambda ids: clip.embed_text(ids)[0], placed(clip, tokenizer(captions))))


def embed_images(clip: CLIPModel, images: np.ndarray) -> np.ndarray:
    """The embeddings of float images, (N, F), of unit length."""
    return unit(share_rows(lambda images: clip.embed_image(images)[0], placed(clip, images)))


def unit(embeddings):
    x = to_host(embeddings)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def placed(module: Module, array: np.ndarray):
    """A host array on the device of a module's weights; floats also in their dtype."""
    weight = module.parameters()[0].value
    return array_module(weight).asarray(array, dtype=weight.dtype if array.dtype.kind == "f" else None)

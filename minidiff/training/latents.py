"""The file of latents of a run: the images of the last stage, encoded once before it.

    mean, ids      the means and token ids of the images, those of one shape
    mean.1, ids.1  the same for the next shape, and so on
    states         in a run that aligns, what the image encoder makes of their patches
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..data.source import Source, buckets_of
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..models.image_encoder import CLIPVisionModel
from ..storage.checkpoint import load_checkpoint, save_checkpoint
from ..tokenizer import Tokenizer
from .diffusion import Latents, encode_images
from .loop import Progress

NAMES = "mean", "ids", "states"


def write_latents(path: Path, source: Source, tokenizer: Tokenizer, autoencoder: AutoencoderKL, device: str,
                  threads: int | None = None, seconds: float | None = None,
                  image_encoder: CLIPVisionModel | None = None) -> Iterator[Progress]:
    """Encode a source's images and captions into a file, shape by shape; with `seconds`, as many as take that long."""
    buckets, arrays, done, start = buckets_of(source), {}, 0, time.monotonic()
    counts = [bucket.latent_count for bucket in buckets]
    count = sum(counts)
    for number, bucket in enumerate(buckets):
        parts, left = {name: [] for name in NAMES[:3 if image_encoder else 2]}, counts[number]
        until = math.inf if seconds is None else seconds * sum(counts[:number + 1]) / sum(counts)
        for part in encode_images(bucket, tokenizer, autoencoder, device, threads, image_encoder):
            for name, own in parts.items():
                own.append(getattr(part, name))
            done, left, spent = done + len(part.ids), left - len(part.ids), time.monotonic() - start
            if spent >= until:
                count, left = count - left, 0
            yield Progress("latents", done, count, {}, 0.0, 0.0, done / spent, spent / done * (count - done))
            if not left:
                break
        for name in [*parts]:
            arrays[key(name, number)] = np.concatenate(parts.pop(name))  # frees the parts of one before the next
    save_checkpoint(path, arrays, {})


def read_latents(path: Path) -> list[Latents]:
    """Those of each shape. Raises UserError if there is no such file."""
    if not path.exists():
        raise UserError(f"{path} is missing: run the latents stage first")
    arrays, _ = load_checkpoint(path)
    names = NAMES[:3 if "states" in arrays else 2]
    count = len(arrays) // len(names)
    if not arrays or arrays.keys() != {key(name, number) for name in names for number in range(count)}:
        raise UserError(f"{path} holds no latents: delete it, and run the latents stage again")
    return [Latents(*(arrays[key(name, number)] for name in names)) for number in range(count)]


def key(name: str, number: int) -> str:
    """The name of an array of shape `number`, counted from 0."""
    return f"{name}.{number}" if number else name

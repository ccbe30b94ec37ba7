"""The file of latents of a run: the images of the last stage, encoded once before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..data.source import Source
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..storage.checkpoint import load_checkpoint, save_checkpoint
from ..tokenizer import Tokenizer
from .diffusion import Latents, encode_images
from .loop import Progress


def write_latents(path: Path, source: Source, tokenizer: Tokenizer, autoencoder: AutoencoderKL, device: str,
                  threads: int | None = None) -> Iterator[Progress]:
    """Encode a source's images and captions into a file."""
    parts, done, count, start = [], 0, source.latent_count, time.monotonic()
    for part in encode_images(source, tokenizer, autoencoder, device, threads):
        parts.append(part)
        done += len(part.ids)
        seconds = (time.monotonic() - start) / done
        yield Progress("latents", done, count, {}, 0.0, 0.0, 1 / seconds, seconds * (count - done))
    save_checkpoint(path, {name: np.concatenate([getattr(part, name) for part in parts])
                           for name in ("mean", "ids")}, {})


def read_latents(path: Path) -> Latents:
    """Raises UserError if there is no such file."""
    if not path.exists():
        raise UserError(f"{path} is missing: run the latents stage first")
    arrays, _ = load_checkpoint(path)
    if arrays.keys() != {"mean", "ids"}:
        raise UserError(f"{path} holds no latents: delete it, and run the latents stage again")
    return Latents(**arrays)

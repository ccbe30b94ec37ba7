"""The scores of a model for any captioned images: is what it draws like them, as asked for, and not a copy?

Each score stands beside the one that true images get: a number of the model alone says little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from ..data.images import bytes_of
from ..data.scenes import to_float
from ..data.source import Source
from ..errors import UserError
from ..models.clip import CLIPModel
from ..pipeline import Pipeline
from .copies import copied, thumbnails
from .distances import frechet_distance, frechet_error, kernel_distance
from .images import AMONG, psnr, recall_at_1
from .model import BATCH, drawings, embed_images, embed_text, reconstruct, settings

LEAST = 4               # images that the kernel distance needs
TRAINING_COUNT = 10_000  # training images that are searched for copies, at most
FEATURES = "CLIP image embeddings of the model's own image encoder, scaled so that their mean square is 1"


def evaluate_images(pipe: Pipeline, clip: CLIPModel | None, source: Source, training: Source | None, count: int = 400,
                    progress: Callable[..., Iterable[np.ndarray]] | None = None) -> dict:
    """The scores of a model on up to `count` held-out captions of a source, ready for JSON.

    Image i is drawn with the i-th caption and seed i. frechet and kernel are distances to the true images of these
    captions, with their standard errors; `of_training` is the same for as many images of `training`, the source that
    the model was trained on, which have captions of their own, so that a good model comes nearer. recall is how often a
    caption finds its image among 64, drawn and true. All three need `clip`, and are None without. psnr is that of the
    autoencoder on the true images, in dB. copies, of training images, are explained in `copied`; they and `of_training`
    are None without `training`. `progress` wraps the iterator over all drawn images, as `tqdm` does. Raises UserError,
    before anything is drawn, for fewer than 4 held-out or training images, and where sizes differ.
    """
    size = pipe.unet.config.sample_size * pipe.vae.config.downsampling
    if size != source.size:
        raise UserError(f"the model draws {size} x {size} pixels, the images have {source.size}: open them in its size")
    held_out = source.held_out(count)
    captions, true = held_out.captions, bytes_of(held_out.images)
    if len(true) < LEAST:
        raise UserError(f"{len(true)} held-out images are too few for scores: use at least {LEAST}, by --count, "
                        "another --data or, when training, a larger --data.held_out_fraction")
    if training and training.latent_count < LEAST:
        raise UserError(f"{training.latent_count} training images are too few for scores: use at least {LEAST}")
    some, small = training_images(training, len(captions)) if training else (None, None)
    if clip and clip.config.vision_config.image_size != size:
        raise UserError(f"the image encoder reads {clip.config.vision_config.image_size} pixels, the model draws "
                        f"{size}: remove clip/ from the model's folder to compare images by their pixels alone")
    found = drawings(pipe, captions)
    drawn = np.stack([*(found if progress is None else progress(found, total=len(captions)))])
    return {
        "images": len(captions),
        **(in_features(clip, pipe.tokenizer, captions, drawn, true, some) if clip else
           dict.fromkeys(("features", "frechet", "kernel", "recall"))),
        "psnr": psnr(true, reconstruct(pipe.vae, true)),
        "copies": copied(thumbnails(drawn), thumbnails(true), small) if training else None,
        "settings": {"source": source.name, **settings(pipe, len(captions))},
    }


def in_features(clip, tokenizer, captions, drawn, true, training):
    """The scores that compare embeddings. `training` may be None."""
    text = embed_text(clip, tokenizer, captions)
    drawn, true = (embed_images(clip, to_float(images)) for images in (drawn, true))
    frechet, kernel = distances(drawn, true)
    unknown = (None, None), (None, None)
    of_training = unknown if training is None else distances(embed_images(clip, to_float(training)), true)
    return {
        "features": FEATURES,
        "frechet": rounded(*frechet, *of_training[0]),
        "kernel": rounded(*kernel, *of_training[1]),
        "recall": {"drawn": recall_at_1(text, drawn, captions), "true": recall_at_1(text, true, captions),
                   "among": min(AMONG, len(captions))},
    }


def distances(images, true):
    """The Fréchet and the kernel distance of embeddings, each with its standard error."""
    a, b = (math.sqrt(x.shape[1]) * x for x in (images, true))
    return (frechet_distance(a, b), frechet_error(a, b)), kernel_distance(a, b)


def training_images(source, count):
    """The first `count` training images, uint8 (N, S, S, 3), and thumbnails of the first 10,000."""
    some, small = [], []
    for index in range(math.ceil(min(source.latent_count, TRAINING_COUNT) / BATCH)):
        shown = bytes_of(source.latent_batch(index, BATCH).images)
        some += [*shown[:count - len(some)]]
        small.append(thumbnails(shown))
    return np.stack(some), np.concatenate(small)[:TRAINING_COUNT]


def rounded(*scores):
    names = "distance", "error", "of_training", "of_training_error"
    return {name: score if score is None else round(score, 5) for name, score in zip(names, scores, strict=True)}

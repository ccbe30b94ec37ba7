"""What a model is worth, in numbers that are the same each time: the judge reads what it draws.

Scenes that no training sees give the prompts, image i of a split starts from the noise of seed i, and the model's
own sampler, steps and guidance draw it. A score is a share from 0 to 1 unless it says its unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from .backend import array_module, normal, to_host
from .data.batches import evaluation_scenes
from .data.images import to_pillow
from .data.judge import OBJECT_DISTANCE, Reading, read, satisfies, verdict
from .data.scenes import BACKGROUNDS, COLOURS, KINDS, Scene, images_of, to_float
from .data.twins import exchanged
from .diffusion.scheduler_config import from_config
from .errors import UserError
from .models.autoencoder import AutoencoderKL
from .models.clip import CLIPModel
from .nn.module import Module
from .nn.threads import share_rows
from .pipeline import GUIDANCE, STEPS, Pipeline
from .tokenizer import Tokenizer

SPLITS = ("seen", "held_out")
ATTRIBUTES = ("count", "shape", "colour", "size", "place", "relation", "background")
BATCH = 32
GROUP = 64        # images that a caption has to choose from
EDGES = 16        # places with the steepest edges of an image
LEAST_GROUPS = 4  # of a split, also where few prompts are scored


@dataclass(frozen=True)
class Judged:
    """An image, uint8 (S, S, 3), what the judge read in it, and whether that is what the caption of `scene` states."""

    scene: Scene
    image: np.ndarray
    reading: Reading
    held: dict[str, bool]

    @property
    def right(self) -> bool:
        return self.held["right"]


def judged(scenes: Iterable[Scene], shown: Iterable[np.ndarray]) -> list[Judged]:
    """Every image read and compared with its scene."""
    return [Judged(scene, image, reading := read(image), verdict(reading, scene))
            for scene, image in zip(scenes, shown, strict=True)]


def evaluate(pipe: Pipeline, clip: CLIPModel | None = None, count: int = 400,
             progress: Callable[..., Iterable[Judged]] | None = None) -> dict:
    """The scores of a model on `count` prompts of each split, ready for JSON.

    seen, held_out: prompts drawn right, by_kind and by_attribute too; colour_error in levels of 255; the judge on
    true images and on the autoencoder's, whose psnr is in dB, and the crispness of these and the drawn ones;
    retrieval and word order with `clip`, None without. `progress` wraps the images as they come, at 2 count of them:
    `tqdm` is one, a generator that keeps the wrong ones another.
    """
    if count < 1:
        raise UserError(f"{count} prompts: use 1 or more")
    scenes = [evaluation_scenes(count, split) for split in SPLITS]
    found = chain.from_iterable(draw(pipe, part) for part in scenes)
    found = list(found if progress is None else progress(found, total=len(SPLITS) * count))
    drawn = dict(zip(SPLITS, (found[:count], found[count:]), strict=True))
    limits = ceiling(pipe.vae, [*chain(*scenes)], pipe.unet.config.sample_size * pipe.vae.config.downsampling)
    return {
        **{split: share(one.right for one in drawn[split]) for split in SPLITS},
        "by_kind": {split: by_kind(drawn[split]) for split in SPLITS},
        "by_attribute": {split: by_attribute(drawn[split]) for split in SPLITS},
        "objects": {split: by_number(drawn[split]) for split in SPLITS},
        "colour_error": colour_error(found),
        **limits,
        "crispness": {"drawn": crispness(np.stack([one.image for one in found])), **limits["crispness"]},
        "retrieval": None if clip is None else retrieval(clip, pipe.tokenizer, count, "seen"),
        "retrieval_held_out": None if clip is None else retrieval(clip, pipe.tokenizer, count, "held_out"),
        "word_order": None if clip is None else word_order(clip, pipe.tokenizer, count, "seen"),
        "word_order_held_out": None if clip is None else word_order(clip, pipe.tokenizer, count, "held_out"),
        "settings": settings(pipe, count),
    }


def draw(pipe: Pipeline, scenes: Sequence[Scene]) -> Iterator[Judged]:
    """What the model draws for the captions, scene i from the noise of seed i."""
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    for first in range(0, len(scenes), BATCH):
        part = scenes[first:first + BATCH]
        noise = normal(range(first, first + len(part)), (side, side, channels))
        shown = pipe([scene.caption for scene in part], latents=noise)
        yield from judged(part, (np.asarray(image) for image in shown))


def settings(pipe: Pipeline, count: int) -> dict:
    """All that the scores of a model depend on."""
    return {"count": count, "scene_seed": 0, "noise_seeds": [0, count - 1],
            "sampler": from_config(pipe.scheduler).sampler,
            "num_inference_steps": pipe.scheduler.get("num_inference_steps", STEPS),
            "guidance_scale": pipe.scheduler.get("guidance_scale", GUIDANCE)}


def by_kind(drawn: Sequence[Judged]) -> dict[str, float]:
    """Prompts drawn right of one object, of one at a place, of two, of two in a relation; those there are."""
    kinds = {kind: [one.right for one in drawn if one.scene.kind == kind] for kind in KINDS}
    return {kind: share(right) for kind, right in kinds.items() if right}


def by_attribute(drawn: Sequence[Judged]) -> dict[str, float]:
    """For each attribute, the share of the captions stating it that got it. Only the background is no part of right."""
    stated = {name: [one.held[name] for one in drawn if name in one.held] for name in ATTRIBUTES}
    return {name: share(held) for name, held in stated.items() if held}


def by_number(drawn: Sequence[Judged]) -> dict[str, float]:
    """Images with more objects than stated (ghosts), and with fewer."""
    more = [len(one.reading.objects) - len(one.scene.objects) for one in drawn]
    return {"too_many": share(n > 0 for n in more), "too_few": share(n < 0 for n in more)}


def colour_error(drawn: Sequence[Judged]) -> float | None:
    """Mean |median colour of an object − the named colour it is taken for|, per channel, in levels of 255."""
    errors = [np.abs(median_colour(one.image, one.reading.background, found.box) - COLOURS[found.colour]).mean()
              for one in drawn for found in one.reading.objects]
    return round(float(np.mean(errors)), 2) if errors else None


def median_colour(image, background, box):
    """The median of the pixels in a box (in pixels of 64) that are not background, as the judge sees it."""
    left, top, right, bottom = (round(edge * len(image) / 64) for edge in box)
    pixels = image[top:bottom, left:right].astype(np.int32)
    inside = np.abs(pixels - BACKGROUNDS[background]).sum(axis=2) > OBJECT_DISTANCE
    return np.median(pixels[inside], axis=0)


def ceiling(vae: AutoencoderKL, scenes: Sequence[Scene], size: int) -> dict:
    """What no model can pass: the judge's score on true images, and on what the autoencoder leaves of them."""
    true = images_of(scenes, size)
    rebuilt = reconstruct(vae, true)
    left = judged(scenes, rebuilt)
    return {"judge": {"truth": share(one.right for one in judged(scenes, true)),
                      "reconstruction": share(one.right for one in left),
                      "reconstruction_by_attribute": by_attribute(left)},
            "psnr": psnr(true, rebuilt),
            "crispness": {"truth": crispness(true), "reconstruction": crispness(rebuilt)}}


def reconstruct(vae: AutoencoderKL, true: np.ndarray) -> np.ndarray:
    """Images, uint8 (N, S, S, 3), through the autoencoder: the mean of their latents, decoded."""
    def through(images):
        (mean, _), _ = vae.encode(images)
        return vae.decode(mean)[0]

    parts = [share_rows(through, beside(vae, to_float(true[first:first + BATCH])))
             for first in range(0, len(true), BATCH)]
    return np.stack([np.asarray(image) for part in parts for image in to_pillow(to_host(part))])


def psnr(true: np.ndarray, rebuilt: np.ndarray) -> float:
    """10 log10(255² / mean squared error), in dB; of uint8 images, all together.

    The error of rounding to whole levels, 1/12, is the least that is assumed: 58.9 dB are the most.
    """
    error = np.mean((true.astype(np.float32) - rebuilt) ** 2, dtype=np.float64)
    return round(10 * math.log10(255**2 / max(float(error), 1 / 12)), 2)


def crispness(shown: np.ndarray) -> float:
    """The share of an edge that lies between two neighbouring pixels: 1 where it is one step, 1/4 on a smooth ramp.

    Of images, uint8 (N, S, S, 3): the largest colour distances of neighbours in a row, over those of pixels 4 apart.
    """
    near, far = (np.linalg.norm(shown[:, :, apart:].astype(np.float32) - shown[:, :, :-apart], axis=-1)
                 .reshape(len(shown), -1) for apart in (1, 4))
    near, far = (np.partition(distance, -EDGES, axis=1)[:, -EDGES:].mean(axis=1) for distance in (near, far))
    return round(float((near / np.maximum(far, 1)).mean()), 3)


def retrieval(clip: CLIPModel, tokenizer: Tokenizer, count: int, split: str) -> float:
    """The share of captions that are nearest, of 64 true images, to one that shows all they state.

    count // 64 groups of scenes, at least four; nearest is the largest cosine of the embeddings.
    """
    groups = max(count // GROUP, LEAST_GROUPS)
    scenes = evaluation_scenes(groups * GROUP, split)
    return share(correct for first in range(0, len(scenes), GROUP)
                 for correct in retrieved(clip, tokenizer, scenes[first:first + GROUP]))


def retrieved(clip, tokenizer, scenes):
    """For each scene's caption: is the image it picks among all of them one that satisfies it?"""
    picked = cosines(clip, tokenizer, scenes, scenes).argmax(axis=1)
    return [satisfies(scenes[index], scene) for index, scene in zip(picked, scenes, strict=True)]


def word_order(clip: CLIPModel, tokenizer: Tokenizer, count: int, split: str) -> float:
    """The share of captions with a relation that fit their true image better than with their objects exchanged."""
    scenes = [scene for scene in evaluation_scenes(max(count, LEAST_GROUPS * GROUP), split) if scene.relation]
    fits = cosines(clip, tokenizer, [*scenes, *map(exchanged, scenes)], scenes)
    own, other = (np.diagonal(half) for half in np.split(fits, 2))
    return share(own > other)


def cosines(clip, tokenizer, stated, shown):
    """How well the caption of each scene of `stated` fits the true image of each of `shown`."""
    true = to_float(images_of(shown, clip.config.vision_config.image_size))
    ids = tokenizer([scene.caption for scene in stated])
    text = to_host(share_rows(lambda ids: clip.embed_text(ids)[0], beside(clip, ids)))
    image = to_host(share_rows(lambda images: clip.embed_image(images)[0], beside(clip, true)))
    text, image = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (text, image))
    return text @ image.T


def beside(module: Module, array: np.ndarray):
    """A host array where the weights of a module are; real numbers in their precision."""
    weight = module.parameters()[0].value
    return array_module(weight).asarray(array, dtype=weight.dtype if array.dtype.kind == "f" else None)


def share(held: Iterable[bool]) -> float:
    """How many of them are true, rounded to 4 digits."""
    return round(float(np.mean([*held])), 4)

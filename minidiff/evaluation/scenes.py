"""The scores of a model that draws scenes: the judge reads the images.

The prompts come from scenes that are never trained on. Image i of a split starts from the noise of seed i and is drawn
with the model's own sampler, steps and guidance. Scores are fractions from 0 to 1 unless they state a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..data.batches import evaluation_scenes, in_other_words
from ..data.judge import OBJECT_DISTANCE, Reading, read, satisfies, verdict
from ..data.scenes import BACKGROUNDS, COLOURS, KINDS, Scene, images_of, to_float
from ..data.twins import exchanged
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..models.clip import CLIPModel
from ..pipeline import Pipeline
from ..tokenizer import Tokenizer
from .images import AMONG, crispness, fraction, psnr
from .model import drawings, embed_images, embed_text, reconstruct, settings

SPLITS = ("seen", "held_out")
ATTRIBUTES = ("count", "shape", "colour", "size", "place", "relation", "background")
MIN_GROUPS = 4  # per split, even if fewer prompts are scored


@dataclass(frozen=True)
class Judged:
    """An image, uint8 (S, S, 3), what the judge read in it, and its verdict on each attribute that its prompt states.

    `scene` is what the prompt describes.
    """

    prompt: str
    scene: Scene
    image: np.ndarray
    reading: Reading
    checks: dict[str, bool]

    @property
    def right(self) -> bool:
        return self.checks["right"]

    @property
    def explanation(self) -> str:
        """'a red ring: wrong colour, saw blue ring on white'"""
        wrong = " and ".join(name for name, correct in self.checks.items() if not correct and name != "right")
        seen = ", ".join(f"{found.colour} {found.shape or 'blob'}" for found in self.reading.objects) or "nothing"
        return f"{self.prompt}: wrong {wrong}, saw {seen} on {self.reading.background}"


def judged(scenes: Sequence[Scene], shown: Iterable[np.ndarray],
           prompts: Sequence[str] | None = None) -> list[Judged]:
    """Read every image and compare it with its scene; prompts are by default the plain captions."""
    prompts = prompts or [scene.caption for scene in scenes]
    return [Judged(prompt, scene, image, reading := read(image), verdict(reading, scene))
            for prompt, scene, image in zip(prompts, scenes, shown, strict=True)]


def evaluate(pipe: Pipeline, clip: CLIPModel | None = None, count: int = 400,
             progress: Callable[..., Iterable[Judged]] | None = None) -> dict:
    """The scores of a model on `count` prompts of each split, ready for JSON.

    Prompts drawn right for the splits seen and held_out, also by_kind and by_attribute, and other_words, the scenes of
    seen described in other words than the plain ones; objects, the images with too many of them and with too few;
    colour_error in levels of 255; the judge's scores of true and reconstructed images, with the psnr of the latter in
    dB; crispness of all three kinds of images; retrieval and word order with `clip`, None without. `progress` wraps the
    iterator over all 3 · count images, as `tqdm` does. Raises UserError if count < 1.
    """
    if count < 1:
        raise UserError(f"{count} prompts: use at least 1")
    seen, held_out = (evaluation_scenes(count, split) for split in SPLITS)
    found = chain(draw(pipe, seen), draw(pipe, held_out), draw(pipe, seen, in_other_words(seen)))
    found = list(found if progress is None else progress(found, total=3 * count))
    drawn = {split: found[i * count:(i + 1) * count] for i, split in enumerate((*SPLITS, "other_words"))}
    limits = ceiling(pipe.vae, seen + held_out, pipe.unet.config.sample_size * pipe.vae.config.downsampling)
    return {
        **{split: fraction(one.right for one in part) for split, part in drawn.items()},
        "by_kind": {split: by_kind(drawn[split]) for split in SPLITS},
        "by_attribute": {split: by_attribute(drawn[split]) for split in SPLITS},
        "objects": {split: count_errors(drawn[split]) for split in SPLITS},
        "colour_error": colour_error(found),
        **limits,
        "crispness": {"drawn": crispness(np.stack([one.image for one in found])), **limits["crispness"]},
        "retrieval": None if clip is None else retrieval(clip, pipe.tokenizer, count, "seen"),
        "retrieval_held_out": None if clip is None else retrieval(clip, pipe.tokenizer, count, "held_out"),
        "word_order": None if clip is None else word_order(clip, pipe.tokenizer, count, "seen"),
        "word_order_held_out": None if clip is None else word_order(clip, pipe.tokenizer, count, "held_out"),
        "settings": {"count": count, "scene_seed": 0, **settings(pipe, count)},
    }


def draw(pipe: Pipeline, scenes: Sequence[Scene], prompts: Sequence[str] | None = None) -> Iterator[Judged]:
    """Draw the scenes from their prompts, by default plain captions, and judge the images. Seeds are 0, 1, ..."""
    prompts = prompts or [scene.caption for scene in scenes]
    for prompt, scene, image in zip(prompts, scenes, drawings(pipe, prompts), strict=True):
        yield from judged([scene], [image], [prompt])


def by_kind(drawn: Sequence[Judged]) -> dict[str, float]:
    """Prompts drawn right for each kind of scene that occurs."""
    kinds = {kind: [one.right for one in drawn if one.scene.kind == kind] for kind in KINDS}
    return {kind: fraction(right) for kind, right in kinds.items() if right}


def by_attribute(drawn: Sequence[Judged]) -> dict[str, float]:
    """For each attribute, how often it is correct where stated. Only the background does not count for "right"."""
    stated = {name: [one.checks[name] for one in drawn if name in one.checks] for name in ATTRIBUTES}
    return {name: fraction(correct) for name, correct in stated.items() if correct}


def count_errors(drawn: Sequence[Judged]) -> dict[str, float]:
    """Images with more objects than stated, and with fewer."""
    excess = [len(one.reading.objects) - len(one.scene.objects) for one in drawn]
    return {"too_many": fraction(n > 0 for n in excess), "too_few": fraction(n < 0 for n in excess)}


def colour_error(drawn: Sequence[Judged]) -> float | None:
    """Mean |median colour of an object − the named colour it is taken for|, per channel, in levels of 255."""
    errors = [np.abs(median_colour(one.image, one.reading.background, found.box) - COLOURS[found.colour]).mean()
              for one in drawn for found in one.reading.objects]
    return round(float(np.mean(errors)), 2) if errors else None


def median_colour(image, background, box):
    """The median of the pixels in a box (in pixels of 64 x 64) that the judge does not take for background."""
    left, top, right, bottom = (round(edge * len(image) / 64) for edge in box)
    pixels = image[top:bottom, left:right].astype(np.int32)
    inside = np.abs(pixels - BACKGROUNDS[background]).sum(axis=2) > OBJECT_DISTANCE
    return np.median(pixels[inside], axis=0)


def ceiling(vae: AutoencoderKL, scenes: Sequence[Scene], size: int) -> dict:
    """Upper limits for any model: the scores of true images and of their reconstructions by the autoencoder."""
    true = images_of(scenes, size)
    rebuilt = reconstruct(vae, true)
    found = judged(scenes, rebuilt)
    return {"judge": {"truth": fraction(one.right for one in judged(scenes, true)),
                      "reconstruction": fraction(one.right for one in found),
                      "reconstruction_by_attribute": by_attribute(found)},
            "psnr": psnr(true, rebuilt),
            "crispness": {"truth": crispness(true), "reconstruction": crispness(rebuilt)}}


def retrieval(clip: CLIPModel, tokenizer: Tokenizer, count: int, split: str) -> float:
    """How often the nearest of 64 true images, by the cosine of embeddings, shows everything a caption states.

    The average over count // 64 groups of scenes, at least four.
    """
    groups = max(count // AMONG, MIN_GROUPS)
    scenes = evaluation_scenes(groups * AMONG, split)
    return fraction(correct for first in range(0, len(scenes), AMONG)
                    for correct in retrieved(clip, tokenizer, scenes[first:first + AMONG]))


def retrieved(clip, tokenizer, scenes):
    """For each scene's caption, whether the image nearest to it satisfies it."""
    nearest = cosines(clip, tokenizer, scenes, scenes).argmax(axis=1)
    return [satisfies(scenes[index], scene) for index, scene in zip(nearest, scenes, strict=True)]


def word_order(clip: CLIPModel, tokenizer: Tokenizer, count: int, split: str) -> float:
    """How often a caption with a relation fits its true image better than it does with its objects exchanged."""
    scenes = [scene for scene in evaluation_scenes(max(count, MIN_GROUPS * AMONG), split) if scene.relation]
    fits = cosines(clip, tokenizer, [*scenes, *map(exchanged, scenes)], scenes)
    own, other = (np.diagonal(half) for half in np.split(fits, 2))
    return fraction(own > other)


def cosines(clip, tokenizer, stated, shown):
    """The cosine similarity of the caption of each scene in `stated` with the true image of each in `shown`."""
    true = to_float(images_of(shown, clip.config.vision_config.image_size))
    return embed_text(clip, tokenizer, [scene.caption for scene in stated]) @ embed_images(clip, true).T

"""The scores of a model that draws emoji: is it the one that was asked for, also in words that it never saw together?

Image i of a kind starts from the noise of seed i. Scores are fractions from 0 to 1 unless they state a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..data.emoji.judge import Judge
from ..data.emoji.scenes import WORDED, EmojiScene, Sticker, draw_scene
from ..data.emoji_source import EmojiSource
from ..data.source import batch_stream
from ..errors import UserError
from ..pipeline import Pipeline
from .copies import copied, thumbnails
from .images import crispness, fraction, psnr
from .model import drawings, reconstruct, settings

WORDS = 200     # prompts of each kind of scene, seen and held out
SPLITS = ("seen", "held_out")
EVALUATION = 10  # key of the random stream of prompts


@dataclass(frozen=True)
class JudgedEmoji:
    """An image, uint8 (S, S, 3), of a scene, and whether it shows what the caption says."""

    scene: EmojiScene
    image: np.ndarray
    right: bool
    seen: str

    @property
    def explanation(self) -> str:
        return f"{self.scene.caption}: saw {self.seen}"


def evaluate_emoji(pipe: Pipeline, source: EmojiSource, count: int | None = None,
                   progress: Callable[..., Iterable[JudgedEmoji]] | None = None) -> dict:
    """The scores of a model on the names of a set of emoji and on scenes of them, ready for JSON.

    named is the fraction of names seen in training whose image is nearest, of all true images, to its own true one;
    composed the same for the skin tones that are held out. `words` are the scenes drawn right, by kind, for words seen
    together in training and for those held out. `judge` are the same scores of true images and of the autoencoder's
    reconstructions. copies compares the composed images with those of training (see `copied`).

    All names and 200 prompts of each kind, or `count` of each. `progress` wraps the iterator over all images, as
    `tqdm` does. Raises UserError where the model draws another size.
    """
    size = pipe.unet.config.sample_size * pipe.vae.config.downsampling
    if size != source.size:
        raise UserError(f"the model draws {size} x {size} pixels, the emoji have {source.size}: open them in its size")
    judge, groups = Judge(source.words), prompts(source, count)
    found = chain.from_iterable(draw(pipe, judge, scenes) for scenes in groups.values())
    total = sum(map(len, groups.values()))
    rest = iter(found if progress is None else progress(found, total=total))
    drawn = {name: [next(rest) for _ in scenes] for name, scenes in groups.items()}
    list(rest)  # lets a progress bar end
    true = {name: np.stack([scene.image(size) for scene in scenes]) for name, scenes in groups.items() if scenes}
    rebuilt = {name: reconstruct(pipe.vae, images) for name, images in true.items()}
    composed = [one.image for one in drawn["composed"]]
    training = np.stack([scene.image(size) for scene in named_scenes(source.words.split[0])])
    return {
        **{name: rates(drawn[name], groups[name]) for name in ("named", "composed")},
        "words": by_kind({name: [one.right for one in found] for name, found in drawn.items()}),
        "judge": {title: {name: fraction(map(judge.right, groups[name], images)) for name, images in shown.items()}
                  for title, shown in (("truth", true), ("reconstruction", rebuilt))},
        "psnr": psnr(true["named"], rebuilt["named"]),
        "crispness": {title: crispness(images) for title, images in (
            ("truth", true["named"]), ("drawn", np.stack([one.image for one in drawn["named"]])))},
        "copies": copied(thumbnails(np.stack(composed)), thumbnails(true["composed"]), thumbnails(training))
        if composed else None,
        "settings": {"source": source.name, "names": len(groups["named"]),
                     **settings(pipe, max(map(len, groups.values())))},
    }


def prompts(source: EmojiSource, count: int | None) -> dict[str, list[EmojiScene]]:
    """The scenes to draw: named, composed, and "KIND seen" and "KIND held_out" if the source has scenes."""
    seen, held_out = source.words.split
    groups = {"named": named_scenes(spread(seen, count)), "composed": named_scenes(spread(held_out, count))}
    for number, kind in enumerate(WORDED if source.free_wording else ()):
        for place, split in enumerate(SPLITS):
            streams = (batch_stream(2 * number + place, EVALUATION, index) for index in range(count or WORDS))
            groups[f"{kind} {split}"] = [draw_scene(rng, source.words, kind, split) for rng in streams]
    return groups


def named_scenes(emoji) -> list[EmojiScene]:
    return [EmojiScene("named", one.name, (Sticker(one),)) for one in emoji]


def spread(items: list, count: int | None) -> list:
    """`count` of the items, evenly; all if there are fewer, or with None."""
    count = min(count or len(items), len(items))
    return [items[index * len(items) // count] for index in range(count)]


def draw(pipe: Pipeline, judge: Judge, scenes: list[EmojiScene]) -> Iterator[JudgedEmoji]:
    """Draw the captions of the scenes, scene i from the noise of seed i, and judge the images."""
    for scene, image in zip(scenes, drawings(pipe, [scene.caption for scene in scenes]), strict=True):
        yield JudgedEmoji(scene, image, judge.right(scene, image), judge.reading(scene, image))


def rates(found: list[JudgedEmoji], scenes: list[EmojiScene]) -> dict[str, float | int]:
    """All names drawn right, and those with and without a skin tone."""
    toned = [scene.stickers[0].emoji.has_tone for scene in scenes]
    parts = {"all": toned, "plain": [not tone for tone in toned], "skin_tones": toned}
    right = {name: [one.right for one, inside in zip(found, part, strict=True) if inside or name == "all"]
             for name, part in parts.items()}
    return {name: fraction(part) for name, part in right.items() if part} | {"count": len(found)}


def by_kind(right: dict[str, list[bool]]) -> dict[str, dict[str, float]]:
    """{kind: {split: fraction}}"""
    return {kind: {split: fraction(right[f"{kind} {split}"]) for split in SPLITS}
            for kind in WORDED if f"{kind} seen" in right}

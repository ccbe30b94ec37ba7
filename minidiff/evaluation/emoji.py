"""The scores of a model that draws emoji: is it the one that was asked for, also in words that it never saw together?

Image i of a kind starts from the noise of seed i. Scores are fractions from 0 to 1 unless they state a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..backend import random_stream
from ..data.emoji.emoji import Emoji
from ..data.emoji.judge import Judge, whole
from ..data.emoji.random_scenes import draw_scene
from ..data.emoji.scenes import EmojiScene, plainly_named
from ..data.emoji.vocabulary import KINDS
from ..data.emoji_source import EmojiSource
from ..data.purposes import Purpose
from ..data.scenes import to_float
from ..errors import UserError
from ..models.clip import CLIPModel
from ..pipeline import Pipeline
from ..storage.pipeline_folder import load_clip
from ..tokenizer import Tokenizer
from .copies import copied, thumbnails
from .images import crispness, fraction, psnr
from .model import drawings, embed_images, embed_text, reconstruct, settings
from .scenes import SPLITS

WORDS = 200         # prompts of each kind of scene, seen and held out
ENCODER = "scenes"  # the shipped model whose image encoder compares


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


def evaluate_emoji(pipe: Pipeline, clip: CLIPModel | None, source: EmojiSource, count: int | None = None,
                   progress: Callable[..., Iterable[JudgedEmoji]] | None = None) -> dict:
    """The scores of a model on the names of a set of emoji and on scenes of them, ready for JSON.

    named is the fraction of names seen in training whose image is nearest, of all true images, to its own true one;
    composed the same for the skin tones that are held out. by_encoder are both by another measure than pixels: the
    embeddings of a model that was never trained on emoji, the shipped one of scenes. `words` are the scenes drawn
    right, by kind, for words seen together in training and for those held out. retrieval is how often the model's
    contrastive model, `clip`, finds the image of a caption; None without one. `judge` are the same scores of true
    images and of the autoencoder's reconstructions. copies compares the composed images with those of training (see
    `copied`).

    All names and 200 prompts of each kind, or `count` of each. `progress` wraps the iterator over all images, as
    `tqdm` does. Raises UserError if count < 1, and where the model draws another size.
    """
    if count is not None and count < 1:
        raise UserError(f"{count} prompts: use at least 1")
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
    training = np.stack([plainly_named(one).image(size) for one in source.words.named.seen])
    return {
        **{name: rates(drawn[name]) for name in ("named", "composed")},
        "by_encoder": by_encoder(judge, {name: drawn[name] for name in ("named", "composed")}),
        "words": by_kind(drawn),
        "retrieval": None if clip is None else retrieval(clip, pipe.tokenizer, judge, groups),
        "judge": {title: {name: fraction(judge.judge(*each).right for each in zip(groups[name], images, strict=True))
                          for name, images in shown.items()}
                  for title, shown in (("truth", true), ("reconstruction", rebuilt))},
        "psnr": psnr(true["named"], rebuilt["named"]),
        "crispness": {"truth": crispness(true["named"]), "drawn": crispness(images_of(drawn["named"]))},
        "copies": copied(thumbnails(images_of(drawn["composed"])), thumbnails(true["composed"]), thumbnails(training))
        if drawn["composed"] else None,
        "settings": {"source": source.name, "names": len(groups["named"]),
                     **settings(pipe, max(map(len, groups.values())))},
    }


def prompts(source: EmojiSource, count: int | None) -> dict[str, list[EmojiScene]]:
    """The scenes to draw: named, composed, and "KIND seen" and "KIND held_out" for the kinds there are words for."""
    seen, held_out = source.words.named
    groups = {name: [plainly_named(one) for one in spread(emoji, count)]
              for name, emoji in (("named", seen), ("composed", held_out))}
    for number, kind in enumerate(KINDS if source.free_wording else ()):
        for place, split in enumerate(SPLITS):
            if kind in source.words.kinds[split == "held_out"]:
                streams = (random_stream(2 * number + place, Purpose.SCORED_EMOJI, index)
                           for index in range(count or WORDS))
                groups[f"{kind} {split}"] = [draw_scene(rng, source.words, kind, split) for rng in streams]
    return groups


def by_encoder(judge: Judge, groups: dict[str, list[JudgedEmoji]]) -> dict[str, float | None]:
    """How often the true image whose embedding is nearest to a drawn one's, by their cosine, is the one asked for.

    None for a group without images, or where the encoder of scenes reads images of another size.
    """
    clip = load_clip(ENCODER)
    true = embedded(clip, judge.words.emoji)
    if true is None:
        return dict.fromkeys(groups)

    def found(drawn):
        embeddings = embed_images(clip, to_float(images_of(drawn)))
        return nearest_meant(judge, [one.scene for one in drawn], embeddings, true)

    return {name: found(drawn) if drawn else None for name, drawn in groups.items()}


def retrieval(clip: CLIPModel, tokenizer: Tokenizer, judge: Judge,
              groups: dict[str, list[EmojiScene]]) -> dict[str, float | None]:
    """How often the true image whose embedding is nearest to a caption's, of all emoji, is one that the caption means.

    For the groups whose captions mean an emoji as it is. What the words of a description have to do with each other
    and with an image, a UNet does not learn easily if its text encoder has not learned it here.
    """
    true = embedded(clip, judge.words.emoji)
    groups = {name: scenes for name, scenes in groups.items() if scenes and scenes[0].kind in ("named", "described")}
    if true is None:
        return dict.fromkeys(groups)

    def found(scenes):
        return nearest_meant(judge, scenes, embed_text(clip, tokenizer, [scene.caption for scene in scenes]), true)

    return {name: found(scenes) for name, scenes in groups.items()}


def nearest_meant(judge: Judge, scenes: list[EmojiScene], embeddings: np.ndarray, true: np.ndarray) -> float:
    """How often the true image, of (M, F), that is nearest to a scene's embedding, of (N, F), is one that it means."""
    nearest = (embeddings @ true.T).argmax(axis=1)
    return fraction(judge.means(scene, judge.words.emoji[index]) for index, scene in zip(nearest, scenes, strict=True))


def embedded(clip: CLIPModel, emoji: list[Emoji]) -> np.ndarray | None:
    """The embeddings of the true images, (M, F); None where the encoder reads images of another size."""
    true = np.stack([whole(one) for one in emoji])
    return embed_images(clip, to_float(true)) if true.shape[1] == clip.config.vision_config.image_size else None


def images_of(found: list[JudgedEmoji]) -> np.ndarray:
    return np.stack([one.image for one in found])


def spread(items: list, count: int | None) -> list:
    """`count` of the items, evenly; all if there are fewer, or with None."""
    count = min(count or len(items), len(items))
    return [items[index * len(items) // count] for index in range(count)]


def draw(pipe: Pipeline, judge: Judge, scenes: list[EmojiScene]) -> Iterator[JudgedEmoji]:
    """Draw the captions of the scenes, scene i from the noise of seed i, and judge the images."""
    for scene, image in zip(scenes, drawings(pipe, [scene.caption for scene in scenes]), strict=True):
        yield JudgedEmoji(scene, image, *judge.judge(scene, image))


def rates(found: list[JudgedEmoji]) -> dict[str, float | int]:
    """The fractions of all names drawn right, and of those without and with a skin tone, where there are some."""
    parts = {"all": (False, True), "plain": (False,), "skin_tones": (True,)}
    right = {name: [one.right for one in found if one.scene.stickers[0].emoji.has_tone in tones]
             for name, tones in parts.items()}
    return {name: fraction(part) for name, part in right.items() if part} | {"count": len(found)}


def by_kind(drawn: dict[str, list[JudgedEmoji]]) -> dict[str, dict[str, float | None]]:
    """{kind: {split: fraction}}; None where there are no words."""
    right = {name: fraction(one.right for one in found) for name, found in drawn.items() if found}
    return {kind: {split: right.get(f"{kind} {split}") for split in SPLITS}
            for kind in KINDS if any(f"{kind} {split}" in right for split in SPLITS)}

"""A set of emoji as a source of training data: each by its name, and scenes made of them, which are never the same.

Every batch has both, in proportion; each kind of scene has combinations of words that are held out.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ..backend import random_stream
from ..errors import UserError
from ..writing import new_file
from .emoji.emoji import Emoji
from .emoji.folder import TABLE
from .emoji.names import code_points, has_tone
from .emoji.random_scenes import draw_scene
from .emoji.scenes import EmojiScene, named, plainly_named
from .emoji.twins import draw_twin
from .emoji.vocabulary import Vocabulary
from .folder_source import check_captions
from .image_cache import ImageCache
from .purposes import Purpose
from .reading.found import Found
from .reading.metadata import parsed
from .scenes import pick, to_float
from .source import Batch

CAPTIONS = 20_000  # of scenes: enough for every word of the vocabulary
TRIES = 8          # draws for each caption of a contrastive batch


class EmojiCache(ImageCache):
    """The emoji in a folder that `minidiff data emoji` made, with alpha, and a copy of their names and tags."""

    def __init__(self, folder: Path, source: Path, size: int):
        super().__init__(folder, source, size, alpha=True)

    def find(self) -> Found:
        if not (self.source / TABLE).is_file():
            raise UserError(f"{self.source} has no {TABLE} with the names of emoji: make such a folder from a set of "
                            "emoji by minidiff data emoji")
        return super().find()

    def fill(self, found: Found | None = None) -> Iterator[tuple[int, int]]:
        found = found or self.find()
        with new_file(self.folder / TABLE) as path:
            path.write_bytes((self.source / TABLE).read_bytes())
        yield from super().fill(found)

    @cached_property
    def emoji(self) -> list[Emoji]:
        lines = (self.folder / TABLE).read_text(encoding="utf-8-sig").split("\n")
        rows = {posixpath.normpath(str(row.get("file_name"))): row for row in map(parsed, lines) if row}
        found = []
        for entry, image in zip(self.entries, np.array(self.images), strict=True):
            row, codes = rows.get(entry.name, {}), code_points(Path(entry.name).stem)
            tags = row.get("tags") if isinstance(row.get("tags"), list) else ()
            found.append(Emoji(entry.name, entry.caption, tuple(map(str, tags)), str(row.get("group") or ""),
                               has_tone(codes or ()), image))
        return found


class EmojiSource:
    """Emoji of `size` x `size` pixels; a fraction `free_wording` of the images are scenes, the others show one emoji.

    The autoencoder, contrastive and diffusion stages draw scenes of their own. A set that has no words for any kind of
    scene is shown by its names only.
    """

    kind = "emoji"

    def __init__(self, cache: EmojiCache, size: int, seed: int, latent_count: int, free_wording: float = 0.5):
        self.cache, self.size, self.seed, self.latent_count = cache, size, seed, latent_count
        self.wanted = free_wording

    @property
    def name(self) -> str:
        return f"emoji:{self.cache.source}"

    @cached_property
    def words(self) -> Vocabulary:
        return Vocabulary(self.cache.emoji)

    @cached_property
    def free_wording(self) -> float:
        """The fraction of the images that are scenes."""
        return self.wanted if self.words.kinds.seen else 0.0

    def captions(self) -> Sequence[str]:
        rng = random_stream(self.seed, Purpose.EMOJI)
        scenes = [draw_scene(rng, self.words).caption for _ in range(CAPTIONS if self.free_wording else 0)]
        return [one.name for one in self.words.named.seen] + [
            tag for one in self.words.named.seen for tag in one.tags] + scenes

    def training_batch(self, index: int, batch_size: int) -> Batch:
        rng = random_stream(self.seed, Purpose.EMOJI, 1 + index)
        return self.as_batch([self._draw(rng) for _ in range(batch_size)])

    def contrastive_batch(self, index: int, batch_size: int) -> Batch:
        """Each scene is followed by a twin. No caption occurs twice: it would be the negative of its own image.

        A small set may have fewer captions than batch_size. Raises UserError if it has only one.
        """
        rng = random_stream(self.seed, Purpose.CONTRASTED_EMOJI, index)
        scenes: dict[str, EmojiScene] = {}
        for _ in range(TRIES * batch_size):
            if len(scenes) >= batch_size:
                break
            scene = self._draw(rng)
            for each in (scene, draw_twin(rng, scene, self.words)):
                scenes.setdefault(each.caption, each)
        check_captions(len(scenes), self.name)
        return self.as_batch(list(scenes.values())[:batch_size])

    def latent_batch(self, index: int, batch_size: int) -> Batch:
        """Every name is encoded equally often, but for one time."""
        rng = random_stream(self.seed, Purpose.ENCODED_EMOJI, index)
        shown, seen = [], self.words.named.seen
        for place in range(index * batch_size, min((index + 1) * batch_size, self.latent_count)):
            before, after = (math.floor(number * (1 - self.free_wording)) for number in (place, place + 1))
            shown.append(named(rng, seen[before % len(seen)]) if after > before else draw_scene(rng, self.words))
        return self.as_batch(shown)

    def held_out(self, count: int) -> Batch:
        """Skin tones that are never trained on, each followed by a scene of held-out words; then scenes only."""
        rng, shown = random_stream(self.seed, Purpose.HELD_OUT_EMOJI), []
        tones, has_scenes = self.words.named.held_out, self.free_wording and self.words.kinds.held_out
        for place in range(count):
            shown += [plainly_named(one) for one in tones[place:place + 1]]
            shown += [draw_scene(rng, self.words, split="held_out")] if has_scenes else []
        return self.as_batch(shown[:count])

    def _draw(self, rng):
        return draw_scene(rng, self.words) if rng.random() < self.free_wording else named(
            rng, pick(rng, self.words.named.seen))

    def as_batch(self, scenes: Sequence[EmojiScene]) -> Batch:
        images = np.stack([scene.image(self.size) for scene in scenes]) if scenes else np.empty(
            (0, self.size, self.size, 3), np.uint8)
        return Batch(to_float(images), [scene.caption for scene in scenes])

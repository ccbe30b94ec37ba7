"""Settings that fit a person's data where the person has said nothing: image size, text length, vocabulary."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import chain

from ..data.folder_source import CROPS
from ..data.reading.captions import check_template
from ..data.reading.found import Found
from ..data.sources import kind_of, side_multiple
from ..data.survey import distinct_captions, median_side
from ..errors import UserError
from ..tokenizer import MIN_VOCAB_SIZE, split_words
from .class_labels import LENGTH
from .presets import DataSettings, Settings

LARGEST_SIZE = 64
LEAST_LENGTH, MOST_LENGTH = 16, 77  # tokens: room for longer prompts than the captions; CLIP's length
LARGEST_VOCABULARY = 8192
BYTES_PER_TOKEN = 4                 # of a word that is rare: common ones become one token


def fit(settings: Settings, found: Found, chosen: Collection[str] = ()) -> Settings:
    """The settings with sizes that fit the data, but for those whose names are in `chosen`."""
    captions = distinct_captions(found.items)
    words = words_in(captions)
    fitted = {"size": fitted_size(settings, found)}
    fitted |= {
        "text.max_length": LENGTH,
        "text.vocab_size": MIN_VOCAB_SIZE + len(captions),
        "text.num_hidden_layers": 0,  # a transformer would have nothing to combine
        "diffusion.train_text_encoder": True,
        "diffusion.clip_skip": 0,
    } if settings.text.class_labels else {
        "text.max_length": min(max([LEAST_LENGTH, *text_lengths(captions, words)]), MOST_LENGTH),
        "text.vocab_size": vocabulary_size({*chain.from_iterable(words.values())}),
        "train_contrastive.batch_size": min(settings.train_contrastive.batch_size, len(captions))}
    for name, value in fitted.items():
        if name not in chosen:
            group, _, field = name.rpartition(".")
            settings = replace(settings, **{group: replace(getattr(settings, group), **{field: value})} if group
                               else {field: value})
    return settings


def fitted_size(settings: Settings, found: Found) -> int:
    """The size at which the images are trained on."""
    return size_for(median_side(found.items), divisor(settings))


def divisor(settings: Settings) -> int:
    """What the image size must be a multiple of: the autoencoder and the UNet halve it, the image encoder cuts it."""
    return math.lcm(side_multiple(settings), 1 if settings.text.class_labels else settings.image.patch_size)


def size_for(side: int | None, multiple: int) -> int:
    """The largest multiple that is at most 64 and at most the side, at least 16; 64 if the side is unknown."""
    fitting = min(side or LARGEST_SIZE, LARGEST_SIZE) // multiple * multiple
    return max(fitting, multiple * math.ceil(16 / multiple))


def count_cut(found: Found, length: int) -> int:
    """How many different captions may have more than `length` tokens."""
    captions = distinct_captions(found.items)
    return sum(tokens > length for tokens in text_lengths(captions, words_in(captions)))


def words_in(captions: Collection[str]) -> dict[str, list[str]]:
    """The words of each part of a caption between white space."""
    return {part: split_words(part) for part in {part for caption in captions for part in caption.split()}}


def text_lengths(captions: Collection[str], words: Mapping[str, list[str]]) -> list[int]:
    """An upper estimate, before there is a tokenizer, of the tokens of each caption, with start and end.

    `words` are those of `words_in`: each of them is estimated once.
    """
    tokens = {part: sum(math.ceil(len(word.encode("utf-8", "replace")) / BYTES_PER_TOKEN) for word in inside)
              for part, inside in words.items()}
    return [sum(map(tokens.get, caption.split())) + 2 for caption in captions]


def vocabulary_size(words: Collection[str]) -> int:
    """Enough tokens for every word to become one: a merge for each of its bytes but the first, at most 8192 in all."""
    merges = sum(len(word.encode("utf-8", "replace")) - 1 for word in words)
    return min(MIN_VOCAB_SIZE + merges, LARGEST_VOCABULARY)


def check_data(own: DataSettings) -> None:
    """Raises UserError for settings of the data that mean nothing."""
    if own.crop not in CROPS:
        raise UserError(f"unknown data.crop {own.crop!r}: use one of {', '.join(CROPS)}")
    if own.buckets and kind_of(own.source) != "images":
        raise UserError("buckets are for images of your own, all scenes are square: give them by --data PATH")
    check_template(own.caption_template)

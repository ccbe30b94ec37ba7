"""Training without a text model: each caption, such as the name of a class, is one token that learns with the UNet.

    "a traffic light"  ->  [start, a traffic light, end]  ->  their vectors, positions added, normalized

The text encoder is CLIP's, by default without layers, so that model folders are like those of any other model. There is
no contrastive stage. The empty text, which guidance needs, is [start, end, end].
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..backend import random_stream
from ..data.purposes import Purpose
from ..errors import UserError
from ..models.text_encoder import CLIPTextModel
from ..tokenizer import AddedToken, Tokenizer
from ..tokenizer.words import normalized
from .contrastive import text_config
from .presets import Settings

LENGTH = 3           # tokens: start, class, end
MOST_CLASSES = 1000  # ImageNet's


def class_tokenizer(captions: Iterable[str], max_length: int = LENGTH) -> Tokenizer:
    """A tokenizer that knows these captions and no words; case and white space make no difference."""
    classes = {normalized(caption): caption for caption in sorted(captions, reverse=True)}
    check_count(len(classes))
    return Tokenizer([], max_length, added=[AddedToken(classes[name], normalized=True, single_word=True)
                                            for name in sorted(classes)])


def class_encoder(settings: Settings, tokenizer: Tokenizer) -> CLIPTextModel:
    """A text encoder with new vectors."""
    return CLIPTextModel(random_stream(settings.seed, Purpose.CLASS_LABELS), text_config(settings, tokenizer))


def check_count(count: int) -> None:
    """Raises UserError for more captions than anyone would call classes."""
    if count > MOST_CLASSES:
        raise UserError(f"{count} different captions are too many for class labels, {MOST_CLASSES} are the most: leave "
                        "out --class-labels, so that a text model learns their words")


def check_known(captions: Collection[str], tokenizer: Tokenizer, model: str) -> None:
    """Raises UserError where some captions are no classes of a model that knows nothing else."""
    unknown = sorted(caption for caption in captions if tokenizer.classes and tokenizer.unread(caption))
    if unknown:
        raise UserError(f"{len(unknown)} captions are none of the {len(tokenizer.classes)} classes of {model}, such as "
                        f"{unknown[0][:40]!r}: leave them out, or train a new model by --class-labels without --from")


def check_class_labels(settings: Settings, scenes: bool) -> None:
    """Raises UserError where captions cannot be classes."""
    if not settings.text.class_labels:
        return
    if scenes:
        raise UserError("scenes, the built-in ones or of emoji, have too many different captions for class labels: "
                        "leave out --class-labels, or give images of a few classes by --data")
    if settings.text.max_length < LENGTH:
        raise UserError(f"text.max_length {settings.text.max_length}: with class labels, use at least {LENGTH}")
    if settings.data.shuffle_tags:
        raise UserError("data.shuffle_tags changes captions, and each is a class by --class-labels: use one of them")

"""Scores of a model, and what each can show: `scenes` and `emoji` have a judge, the others are true of any images."""

from .captioned import LEAST, evaluate_images
from .copies import copied, nearest, thumbnails
from .distances import frechet_distance, frechet_error, kernel_distance
from .emoji import JudgedEmoji, evaluate_emoji
from .images import AMONG, crispness, fraction, psnr, recall_at_1
from .model import drawings, embed_images, embed_text, placed, reconstruct, settings
from .scenes import (
    ATTRIBUTES,
    SPLITS,
    Judged,
    by_attribute,
    by_kind,
    ceiling,
    colour_error,
    count_errors,
    draw,
    evaluate,
    judged,
    retrieval,
    word_order,
)

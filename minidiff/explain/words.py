"""From the prompt to vectors: the merges of byte-pair encoding, the ids, and how the text encoder attends."""

from __future__ import annotations

from itertools import islice

import numpy as np

from ..backend import to_host
from ..models.text_encoder import CLIPTextModel
from ..nn.clip_layers import CLIPAttention
from ..ops.attention import mask_later
from ..tokenizer import Tokenizer
from ..tokenizer.words import words_of
from .images import data_uri, diverging, packed, rounded
from .run import Run

SOURCES = (Tokenizer.merging, CLIPTextModel, CLIPAttention, mask_later)
MOST_STEPS = 24  # merges of one word that are replayed


def view(run: Run) -> dict:
    tokenizer, count = run.pipe.tokenizer, run.tokens
    words = [{"text": word, "merges": [*islice(tokenizer.merging(word), MOST_STEPS)]}
             for word in dict.fromkeys(words_of(run.prompt.lower()))]
    layers = [weights[:, :count, :count] for weights in run.reading.values()]  # none in a model of class labels
    table = to_host(run.pipe.text_encoder.embeddings.token_embedding.weight.value)[run.ids[:count]]
    return {
        "words": words, "most": max((len(word["merges"]) for word in words), default=1),
        "ids": run.ids.tolist(), "used": count, "vocabulary": len(tokenizer),
        "tokens": [tokenizer.tokens[i] for i in run.ids[:count]], "width": run.context.shape[1],
        "table": strips(table), "context": strips(run.context[:count]),
        "alike": alike(table, run.context[:count]),
        "attention": packed(np.stack(layers)) if layers else None,
    }


def alike(own: np.ndarray, read: np.ndarray) -> dict:
    """The two tokens whose vectors after the encoder have the smallest angle: its cosine, and that of their ids.

    own (T, D), read (T, D)
    """
    before, after = cosines(own), cosines(read)
    first, second = (int(i) for i in np.unravel_index((after - 2 * np.eye(len(after))).argmax(), after.shape))
    return {"pair": [first, second], "own": rounded(before[first, second]), "read": rounded(after[first, second])}


def cosines(vectors: np.ndarray) -> np.ndarray:
    """The cosine of the angle between each two vectors: (T, D) -> (T, T)"""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def strips(vectors: np.ndarray) -> list[str]:
    """Each vector as an image one pixel high; all have the same scale."""
    from PIL import Image

    limit = 2.5 * float(vectors.std())
    return [data_uri(Image.fromarray(diverging(vector[None], limit))) for vector in vectors]

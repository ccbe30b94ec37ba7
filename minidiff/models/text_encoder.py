"""CLIP's text encoder: a causal transformer that turns token ids into vectors (Radford et al. 2021, section 2.4)."""

from __future__ import annotations

from dataclasses import replace

from ..backend import array_module
from ..errors import UserError
from ..nn.clip_layers import CLIPEncoder
from ..nn.layers import Embedding, LayerNorm
from ..nn.module import Module, chain
from ..ops import op
from .configs import TextConfig


class CLIPTextModel(Module):
    """ids (N, T) -> hidden (N, T, C); T is at most config.max_position_embeddings.

    A token attends to itself and earlier tokens only; padding is not masked. backward returns None, since ids have no
    gradient.
    """

    def __init__(self, rng, config: TextConfig):
        self.config = config
        self.embeddings = TextEmbeddings(rng, config)
        self.encoder = CLIPEncoder(rng, config, causal=True)
        self.final_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, ids):
        return chain(ids, self.embeddings, self.encoder, self.final_layer_norm)

    def without_last(self, count: int) -> CLIPTextModel:
        """The same model without its last layers, sharing all other parameters: what Stable Diffusion 2 reads.

        Contrastive training compares one state of a text, that of its end, so it never tells the last layer what to
        make of the other tokens. What they are before it, the end reads, and that they had to learn.
        """
        layers = self.config.num_hidden_layers - count
        short = CLIPTextModel(None, replace(self.config, num_hidden_layers=layers))
        short.embeddings, short.final_layer_norm = self.embeddings, self.final_layer_norm
        short.encoder.layers = self.encoder.layers[:layers]
        return short

    def pooled(self, ids):
        """ids (N, T) -> y (N, C), the state of the first end-of-text token, which has attended to the whole text."""
        end = self.config.eos_token_id
        # Before transformers 4.31, configurations had a wrong id, 2; end of text is the largest id of the vocabulary.
        position = ids.argmax(axis=-1) if end == 2 else (ids == end).argmax(axis=-1)
        hidden, hidden_back = self(ids)
        y, pick_back = pick(hidden, position)
        return y, lambda dy: hidden_back(pick_back(dy)[0])


class TextEmbeddings(Module):
    """y[n, t] = token[ids[n, t]] + position[t]

    ids (N, T) -> y (N, T, C)

    Initialized fifty times larger than CLIP's, so that what the layers add does not drown out the words: a UNet learns
    slowly from states that hardly differ.
    """

    def __init__(self, rng, config):
        self.token_embedding = Embedding(rng, config.vocab_size, config.hidden_size, std=1.0)
        self.position_embedding = Embedding(rng, config.max_position_embeddings, config.hidden_size, std=0.5)
        self.max_tokens = config.max_position_embeddings

    def __call__(self, ids):
        if ids.shape[1] > self.max_tokens:
            raise UserError(f"a text of {ids.shape[1]} tokens is too long: truncate it to the {self.max_tokens} tokens "
                            "that the text encoder takes")
        tokens, token_back = self.token_embedding(ids)
        positions, position_back = self.position_embedding(array_module(ids).arange(ids.shape[1])[None])

        def backward(dy):
            position_back(dy.sum(axis=0, keepdims=True))
            token_back(dy)

        return tokens + positions, backward


@op
def pick(x, position):
    """y[n] = x[n, position[n]]

    x (N, T, C), position (N) -> y (N, C)
    """
    xp = array_module(x)
    shape, rows = x.shape, xp.arange(x.shape[0])

    def backward(dy):
        dx = xp.zeros_like(dy, shape=shape)
        dx[rows, position] = dy
        return dx, None

    return x[rows, position], backward

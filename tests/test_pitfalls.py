"""The known ways to be almost right: each is caught by the golden arrays.

A flip makes one mistake, by a function written here in place of ours. The parts that it touches agree with the golden
arrays without the mistake, which is found out once for each part, and must not agree with it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from golden_cases import GOLDEN, compare
from safetensors.numpy import load_file

from minidiff import ops
from minidiff.models import autoencoder, unet
from minidiff.nn import residual, transformer
from minidiff.nn.layers import Downsample, GroupNorm
from minidiff.nn.module import chain
from minidiff.tokenizer import tokenizer

END_OF_TEXT = 529  # of the golden vocabulary
FLIPS = {}


def flip(*cases):
    """Registers a mistake with the (part, version)s of the golden arrays that must notice it."""
    def register(function):
        FLIPS[function.__name__] = function, cases
        return function

    return register


@flip(("encode", "sd1"), ("decode", "sd1"))
def autoencoder_norms_with_the_eps_of_the_unet(monkeypatch):
    monkeypatch.setattr(autoencoder, "EPS", 1e-5)


@flip(("unet", "sd1"), ("unet", "sd2"))
def transformer_norms_with_the_eps_of_the_residual_blocks(monkeypatch):
    monkeypatch.setattr(transformer, "GroupNorm", lambda channels, groups, eps: GroupNorm(channels, groups, 1e-5))


@flip(("unet", "sd1"), ("unet", "sd2"))
def residual_blocks_with_the_eps_of_the_transformers(monkeypatch):
    monkeypatch.setattr(residual, "GroupNorm", lambda channels, groups, eps: GroupNorm(channels, groups, 1e-6))


@flip(("unet", "sd1"), ("unet", "sd2"))
def geglu_with_the_gelu_made_of_tanh(monkeypatch):
    def geglu(x):
        value, gate = np.split(x, 2, axis=-1)
        cdf = 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
        return value * gate * cdf, None

    monkeypatch.setattr(ops, "geglu", geglu)


@flip(("text_encoder", "sd1"), ("clip", "sd1"))
def gelu_for_quick_gelu(monkeypatch):
    monkeypatch.setattr(ops, "quick_gelu", ops.gelu)


@flip(("text_encoder", "sd2"))
def quick_gelu_for_gelu(monkeypatch):
    monkeypatch.setattr(ops, "gelu", ops.quick_gelu)


@flip(("unet", "sd1"))
def sine_before_cosine(monkeypatch):
    monkeypatch.setattr(unet, "sinusoidal_embedding", lambda t, features, flip, shift: ops.sinusoidal_embedding(
        t, features, not flip, shift))


@flip(("unet", "sd1"))
def frequency_shift_of_one(monkeypatch):
    monkeypatch.setattr(unet, "sinusoidal_embedding", lambda t, features, flip, shift: ops.sinusoidal_embedding(
        t, features, flip, shift + 1))


@flip(("unet", "sd1"))
def time_off_by_one(monkeypatch):
    monkeypatch.setattr(unet, "sinusoidal_embedding", lambda t, *options: ops.sinusoidal_embedding(t + 1, *options))


@flip(("encode", "sd1"))
def autoencoder_padded_on_all_sides(monkeypatch):
    monkeypatch.setattr(autoencoder, "BOTTOM_RIGHT", ((1, 1), (1, 1)))


@flip(("unet", "sd1"))
def unet_padded_right_and_bottom_only(monkeypatch):
    monkeypatch.setattr(unet, "Downsample", lambda rng, channels: Downsample(rng, channels, ((0, 1), (0, 1))))


@flip(("text_encoder", "sd1"))
def padding_masked_in_the_text_encoder(monkeypatch):
    whole = ops.attention

    def masked(q, k, v, heads, causal):
        y = np.empty_like(q)
        for n, ids in enumerate(load_file(GOLDEN / "sd1" / "arrays.safetensors")["ids"]):
            text = slice(0, (ids == END_OF_TEXT).argmax() + 1)
            row, padding = slice(n, n + 1), slice(text.stop, None)
            y[row, text], _ = whole(q[row, text], k[row, text], v[row, text], heads, causal)
            y[row, padding], _ = whole(q[row, padding], k[row, text], v[row, text], heads)
        return y, None

    monkeypatch.setattr(ops, "attention", masked)


@flip(("tokenizer", "sd1"), ("tokenizer", "sd2"))
def padding_of_the_other_version(monkeypatch):
    def read_folder(folder, read=tokenizer.read_folder):
        *rest, pad = read(folder)
        return *rest, tokenizer.END if pad == "!" else "!"

    monkeypatch.setattr(tokenizer, "read_folder", read_folder)


@flip(("unet", "sd1"), ("unet", "sd2"))
def time_added_after_the_second_norm(monkeypatch):
    def call(self, x, time_emb=None):
        h, _ = chain(x, self.norm1, ops.silu, self.conv1, self.norm2)
        shift, _ = chain(time_emb, ops.silu, self.time_emb_proj)
        h, _ = chain(h + shift[:, None, None, :], ops.silu, self.conv2)
        return h + self.conv_shortcut(x)[0], None

    monkeypatch.setattr(residual.ResBlock, "__call__", call)


@flip(("unet", "sd1"), ("unet", "sd2"))
def time_projected_without_silu(monkeypatch):
    def call(self, x, time_emb=None):
        h, _ = chain(x, self.norm1, ops.silu, self.conv1)
        h, _ = chain(h + self.time_emb_proj(time_emb)[0][:, None, None, :], self.norm2, ops.silu, self.conv2)
        return h + self.conv_shortcut(x)[0], None

    monkeypatch.setattr(residual.ResBlock, "__call__", call)


@cache
def difference_without_mistakes(part, version):
    """What is wrong before any mistake is made, or None."""
    try:
        compare(part, version)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize(("part", "version"), sorted({case for _, cases in FLIPS.values() for case in cases}))
def test_without_a_mistake_the_golden_arrays_are_met(part, version):
    assert difference_without_mistakes(part, version) is None


@pytest.mark.parametrize("mistake", FLIPS)
def test_a_mistake_is_noticed(mistake, monkeypatch):
    make, cases = FLIPS[mistake]
    for part, version in cases:
        if difference_without_mistakes(part, version):
            pytest.skip(f"the {part} of {version} is not that of the golden arrays even without this mistake")
    make(monkeypatch)
    for part, version in cases:
        with pytest.raises(AssertionError, match=rf"^{version} \S+: "):
            compare(part, version)

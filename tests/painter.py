"""A stand-in for a pipeline that draws what it is given, with an autoencoder that is exact."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from minidiff.data.images import to_pillow
from minidiff.nn.module import Module, Parameter


class Painter:
    """A pipeline that answers prompt i, counted over all calls, with image i of `shown`, floats in [-1, 1]."""

    def __init__(self, shown):
        self.shown, self.prompts, self.noise = to_pillow(shown), [], []
        self.unet = SimpleNamespace(config=SimpleNamespace(sample_size=shown.shape[1] // 4, out_channels=4))
        self.vae, self.scheduler, self.tokenizer = Exact(), {"_class_name": "DDIMScheduler"}, words

    def __call__(self, prompts, latents, seed):
        first = len(self.prompts)
        self.prompts += prompts
        self.noise += [*latents]
        return self.shown[first:len(self.prompts)]


class Exact(Module):
    def __init__(self):
        self.config, self.weight = SimpleNamespace(downsampling=4), Parameter(np.zeros(1, np.float32))

    def encode(self, x):
        return (x, None), None

    def decode(self, z):
        return z, None


def words(captions):
    return np.array([[len(caption)] for caption in captions])


words.unread = lambda caption: ""

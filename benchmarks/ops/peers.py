"""The same ops in PyTorch, on tensors in its own layouts: images (N, C, H, W), weights (O, I, k, k).

An op with the name, the arguments and the options of a function in torch.nn.functional needs no entry in OPS.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F


def conv2d(x, weight, bias=None, stride=1, padding=None):
    if padding is None:
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)
    (top, bottom), (left, right) = padding
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride)


def attention(q, k, v, heads, causal=False):
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)


def geglu(x):
    value, gate = x.chunk(2, dim=-1)
    return value * F.gelu(gate)


def patchify(x, size):
    n, channels, height, width = x.shape
    grid = x.reshape(n, channels, height // size, size, width // size, size)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(n, height * width // size**2, channels * size**2)


def sinusoidal_embedding(t, features):
    angle = t[:, None] * torch.exp(torch.arange(features // 2, device=t.device) * (-2 * math.log(1e4) / features))
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


def weighted(loss):
    def mean(x, target, weight=None):
        if weight is None:
            return loss(x, target)
        return (loss(x, target, reduction="none") * weight.detach()[:, None, None]).mean()

    return mean


def kl_standard_normal(mean, logvar):
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def cosine_distance(x, target):
    return (1 - F.cosine_similarity(x, target, dim=-1)).mean()


def contrastive(text, image, logit_scale):
    logits = logit_scale.exp() * F.normalize(text) @ F.normalize(image).T
    labels = torch.arange(len(text), device=text.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


OPS = {
    "conv2d": conv2d,
    "group_norm": lambda x, weight, bias, groups: F.group_norm(x, groups, weight, bias),
    "layer_norm": lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "geglu": geglu,
    "softmax": lambda x, axis=-1: F.softmax(x, axis),
    "attention": attention,
    "upsample_nearest": lambda x: F.interpolate(x, scale_factor=2.0),
    "upsample_conv2d": lambda x, weight, bias=None: conv2d(F.interpolate(x, scale_factor=2.0), weight, bias),
    "patchify": patchify,
    "concat": lambda a, b: torch.cat((a, b), dim=-1),
    "split": lambda x: x.chunk(2, dim=-1),
    "embedding": lambda table, ids: F.embedding(ids, table),
    "sinusoidal_embedding": sinusoidal_embedding,
    "mse": weighted(F.mse_loss),
    "l1": weighted(F.l1_loss),
    "huber": weighted(F.huber_loss),
    "kl_standard_normal": kl_standard_normal,
    "cosine_distance": cosine_distance,
    "contrastive": contrastive,
}


def function_of(name: str) -> Callable:
    return OPS[name] if name in OPS else getattr(F, name)

"""Every op of tests/op_cases.py and every kernel of it, forward and backward, is torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from op_subjects import SUBJECTS
from torch.distributions import Normal, kl_divergence

from .compare import GRADIENTS, tensor


def conv2d(x, weight, bias=None, stride=1, padding=None):
    (top, bottom), (left, right) = padding or 2 * ((len(weight) // 2,) * 2,)
    padded = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    return F.conv2d(padded, weight.permute(3, 2, 0, 1), bias, stride).permute(0, 2, 3, 1)


def group_norm(x, weight, bias, groups, eps=1e-5):
    return F.group_norm(x.permute(0, 3, 1, 2), groups, weight, bias, eps).permute(0, 2, 3, 1)


def layer_norm(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def geglu(x):
    value, gate = x.chunk(2, dim=-1)
    return value * F.gelu(gate)


def attention(q, k, v, heads, causal=False):
    if causal:  # torch counts from the first key, as we do
        mask = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril()
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask if causal else None)
    return y.transpose(1, 2).flatten(2)


def patchify(x, size):
    patches = F.unfold(x.permute(0, 3, 1, 2), size, stride=size)                   # (N, C · size², T)
    return patches.unflatten(1, (x.shape[-1], -1)).permute(0, 3, 2, 1).flatten(2)


def sinusoidal_embedding(t, features, flip_sin_to_cos=True, freq_shift=0.0, max_period=10000.0):
    i = torch.arange(features // 2, dtype=t.dtype)
    angle = t[:, None] * torch.exp(-math.log(max_period) * i / (features // 2 - freq_shift))
    waves = [angle.sin(), angle.cos()]
    return torch.cat(waves[::-1] if flip_sin_to_cos else waves, dim=-1)


def weighted(loss):
    def mean(x, target, weight=None, **options):
        terms = loss(x, target, reduction="none", **options)
        return (terms if weight is None else terms * weight.detach()[:, None, None]).mean()

    return mean


def kl_standard_normal(mean, logvar):
    one = torch.ones_like(mean)
    return kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0 * one, one)).mean()


def cosine_distance(x, target):
    return (1 - F.cosine_similarity(x, target, dim=-1)).mean()


def contrastive(text, image, logit_scale):
    logits = logit_scale.exp() * F.normalize(text) @ F.normalize(image).T
    labels = torch.arange(len(text))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def upsample_conv2d(x, weight, bias):
    x = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2.0)
    return F.conv2d(x, weight.permute(3, 2, 0, 1), bias, padding=len(weight) // 2).permute(0, 2, 3, 1)


def theirs_of(name):
    """Our op in torch's words: a function of this file, or torch's own of the same name and arguments."""
    return OTHERWISE.get(name) or getattr(F, name)


OTHERWISE = {
    "conv2d": conv2d, "group_norm": group_norm, "layer_norm": layer_norm, "geglu": geglu,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x), "softmax": lambda x, axis=-1: F.softmax(x, axis),
    "attention": attention, "upsample_conv2d": upsample_conv2d, "patchify": patchify,
    "upsample_nearest": lambda x: F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2.0).permute(0, 2, 3, 1),
    "concat": lambda a, b: torch.cat((a, b), dim=-1), "split": lambda x: x.chunk(2, dim=-1),
    "embedding": lambda table, ids: F.embedding(ids, table), "sinusoidal_embedding": sinusoidal_embedding,
    "mse": weighted(F.mse_loss), "l1": weighted(F.l1_loss), "huber": weighted(F.huber_loss),
    "kl_standard_normal": kl_standard_normal, "contrastive": contrastive, "cosine_distance": cosine_distance,
}


@pytest.mark.parametrize("dtype", GRADIENTS)
@pytest.mark.parametrize("case", SUBJECTS, ids=str)
def test_forward_and_gradient_are_those_of_torch(case, dtype, agree):
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(range(1, 13))
        _, arrays, rng = case.draw(order.tolist(), seed)
        arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays]
        with case.in_use():
            y, backward = case(*arrays)
            tensors = [tensor(x) for x in arrays]
            theirs = theirs_of(case.op.__name__)(*tensors, **case.options)
            for one, other in zip(in_tuple(y), in_tuple(theirs), strict=True):
                agree(f"ops, forward, {dtype}", one, other.detach(), GRADIENTS[dtype])
            dy = [np.asarray(rng.standard_normal(part.shape), dtype) for part in in_tuple(y)]
            torch.autograd.backward(in_tuple(theirs), [torch.from_numpy(part) for part in dy])
            gradients = in_tuple(backward(tuple(dy) if isinstance(y, tuple) else dy[0]))
        expected = [x.grad for x in tensors]
        floor = 1e-3 * max(float(grad.norm()) for grad in expected if grad is not None)
        for one, other in zip(gradients, expected, strict=False):
            assert (one is None) == (other is None)
            if one is not None:
                agree(f"ops, gradients, {dtype}", one, other, GRADIENTS[dtype], floor)


def in_tuple(y):
    return y if isinstance(y, tuple) else (y,)

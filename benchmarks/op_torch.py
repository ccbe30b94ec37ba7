"""The same ops in PyTorch, on tensors in its own layouts: images (N, C, H, W), weights (O, I, k, k)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def conv2d(x, weight, bias=None, stride=1, padding=None):
    if padding is None:
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)
    (top, bottom), (left, right) = padding
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride)


def attention(q, k, v, heads, causal=False):
    mask = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device).tril() if causal else None
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


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


def contrastive(text, image, logit_scale):
    logits = logit_scale.exp() * F.normalize(text) @ F.normalize(image).T
    labels = torch.arange(len(text), device=text.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


OPS = {
    "linear": F.linear, "conv2d": conv2d, "group_norm": lambda x, weight, bias, groups: F.group_norm(
        x, groups, weight, bias), "layer_norm": lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias),
    "silu": F.silu, "gelu": F.gelu, "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x), "geglu": geglu,
    "softmax": lambda x, axis=-1: F.softmax(x, axis), "attention": attention,
    "winograd_conv2d": conv2d, "upsample_nearest": lambda x: F.interpolate(x, scale_factor=2.0),
    "upsample_conv2d": lambda x, weight, bias: F.conv2d(F.interpolate(x, scale_factor=2.0), weight, bias, padding=1),
    "patchify": patchify, "concat": lambda a, b: torch.cat((a, b), dim=-1), "split": lambda x: x.chunk(2, dim=-1),
    "embedding": lambda table, ids: F.embedding(ids, table), "sinusoidal_embedding": sinusoidal_embedding,
    "mse": weighted(F.mse_loss), "l1": weighted(F.l1_loss), "huber": weighted(F.huber_loss),
    "kl_standard_normal": kl_standard_normal, "cross_entropy": F.cross_entropy, "contrastive": contrastive,
}


def to_tensor(array, dims, layout, device):
    """A leaf in PyTorch's order of axes; `layout` is one of torch's memory formats."""
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2) if dims[0] == "N" else array.transpose(3, 2, 0, 1)
    tensor = torch.tensor(array, device=device)
    if tensor.ndim == 4:
        tensor = tensor.contiguous(memory_format=layout)
    return tensor.requires_grad_(array.dtype.kind == "f")


def to_array(tensor, dims):
    """Back in our order of axes."""
    array = tensor.detach().cpu().numpy()
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1) if dims[0] == "N" else array.transpose(2, 3, 1, 0)
    return array

"""The residual block of the UNet and of the autoencoder."""

from __future__ import annotations

from ..ops import silu
from .layers import Conv2d, GroupNorm, Linear
from .module import Module, chain, identity


class ResBlock(Module):
    """y = shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))) + proj(silu(time_emb)))))

    x (N, H, W, I), time_emb (N, F) -> y (N, H, W, O)

    He et al. 2016, with the time embedding added as in Ho et al. 2020, appendix B. Without `time_features` there is no
    time_emb, and backward returns only dx.
    """

    def __init__(self, rng, inputs, outputs, groups, eps, time_features=None):
        self.norm1 = GroupNorm(inputs, groups, eps)
        self.conv1 = Conv2d(rng, inputs, outputs)
        self.time_emb_proj = Linear(rng, time_features, outputs) if time_features else None
        self.norm2 = GroupNorm(outputs, groups, eps)
        self.conv2 = Conv2d(rng, outputs, outputs)
        self.conv_shortcut = Conv2d(rng, inputs, outputs, kernel=1) if inputs != outputs else identity

    def __call__(self, x, time_emb=None):
        h, in_back = chain(x, self.norm1, silu, self.conv1)                           # (N, H, W, O)
        time_back = None
        if self.time_emb_proj is not None:
            shift, time_back = chain(time_emb, silu, self.time_emb_proj)              # (N, O)
            h += shift[:, None, None, :]
        h, out_back = chain(h, self.norm2, silu, self.conv2)
        skip, skip_back = self.conv_shortcut(x)
        h += skip

        def backward(dy):
            dh = out_back(dy)
            dx = in_back(dh)
            dx += skip_back(dy)
            return (dx, time_back(dh.sum(axis=(1, 2)))) if time_back else dx

        return h, backward

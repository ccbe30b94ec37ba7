"""LoRA: a trained model stays as it is, and low-rank updates of its attention learn (Hu et al. 2021, 2106.09685).

    y = W x + (alpha / r) B A x        W (O, I) is frozen; A (r, I) and B (O, r) are learned (eq. 3)

B begins as zero, so the first output is exactly that of the trained model. A file of A and B has r (I + O) elements
for each layer instead of I · O.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from . import frozen
from .layers import Linear
from .module import Module, apply
from .transformer import Attention


class LoRALinear(Module):
    """A linear layer with a low-rank update. Its weight and bias keep their names, and the factors have those of PEFT.

    x (..., I) -> y (..., O)
    """

    def __init__(self, rng, linear, rank, alpha):
        outputs, inputs = linear.weight.value.shape
        self.weight, self.bias = linear.weight, linear.bias
        self.lora_A = Linear(rng, inputs, rank, bias=False)  # uniform in ±1/√I, as PEFT draws it
        self.lora_B = Linear(None, rank, outputs, bias=False)
        self.lora_B.weight.value = np.zeros((outputs, rank), np.float32)
        self.rank, self.alpha = rank, alpha

    def __call__(self, x):
        scale = self.alpha / self.rank
        y, frozen_back = apply(frozen.linear, x, self.weight, self.bias)
        low, a_back = self.lora_A(x)
        update, b_back = self.lora_B(scale * low)
        y += update

        def backward(dy):
            dx = frozen_back(dy)
            dx += a_back(scale * b_back(dy))
            return dx

        return y, backward


class Factors(Module):
    """The factors of all LoRALinear layers of a model, under the names that they have there."""

    def __init__(self, model):
        self.model = model

    def named_parameters(self, prefix=""):
        return ((name, p) for name, p in self.model.named_parameters(prefix) if ".lora_" in name)


def lora_layers(model):
    """The layers of a model that have factors."""
    return [module for module in model.modules() if isinstance(module, LoRALinear)]


@contextmanager
def without_factors(model):
    """Inside, a model computes what it computed before it had factors."""
    alphas = [(layer, layer.alpha) for layer in lora_layers(model)]
    for layer, _ in alphas:
        layer.alpha = 0
    try:
        yield
    finally:
        for layer, alpha in alphas:
            layer.alpha = alpha


def add_lora(model, rank, alpha, rng):
    """Freeze a model and give the four linear layers of each attention in it factors, drawn from `rng`.

    Returns the factors, a module with no other parameters.
    """
    for parameter in model.parameters():
        parameter.frozen = True
    for attention in [module for module in model.modules() if isinstance(module, Attention)]:
        for name in ("to_q", "to_k", "to_v"):
            setattr(attention, name, LoRALinear(rng, getattr(attention, name), rank, alpha))
        attention.to_out[0] = LoRALinear(rng, attention.to_out[0], rank, alpha)
    return Factors(model)

"""LoRA: a fine-tuning stored as low-rank updates of some weights (Hu et al. 2021, section 4.1).

    W ← W + scale · (alpha / rank) · up · down        down (rank, I), up (O, rank); alpha is rank by default

Files name the layers in several ways; diffusers calls down A and up B:

    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight            diffusers
    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight    older diffusers
    lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight    kohya, with .alpha
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..backend import array_module
from ..errors import UserError
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from .folders import from_file
from .tensors import map_tensors
from .weight_files import refuse_pickle

ENDS = {"down": r"\.(lora_A|lora_down|(lora\.|lora_linear_layer\.)?down)\.weight$",
        "up": r"\.(lora_B|lora_up|(lora\.|lora_linear_layer\.)?up)\.weight$", "alpha": r"\.alpha$"}


def merge_lora(path: str | Path, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, scale: float = 1.0) -> None:
    """Add a file's updates, times `scale`, to the weights.

    Changed weights become new arrays, since loaded ones may be read-only views of a file. Raises UserError, before
    anything has changed, if a tensor does not belong to these models.
    """
    path = Path(path)
    refuse_pickle(path)
    if not math.isfinite(scale):
        raise UserError(f"LoRA scale {scale} for {path}: use a finite number")
    tensors, metadata = map_tensors(path)
    layers = {name: (part, layer, parameter) for part, model in (("unet", unet), ("text_encoder", text_encoder))
              for layer, parameter in weights(model) for name in spellings(part, layer)}
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, value in tensors.items():
        layer, role = split_name(name)
        if layer not in layers:
            raise _misfit(path, f"{name} belongs to no layer of it, or is not a LoRA tensor")
        found.setdefault(layer, {})[role] = value
    products = []
    for name, arrays in found.items():
        part, layer, parameter = layers[name]
        if not arrays.keys() >= {"down", "up"} or not fits(parameter.value.shape, **arrays):
            shapes = ", ".join(f"{role} {value.shape}" for role, value in arrays.items())
            raise _misfit(path, f"{name} has {shapes} for a weight {parameter.value.shape}")
        rank = len(arrays["down"])
        ratio = (float(arrays["alpha"].item()) / rank if "alpha" in arrays
                 else metadata_ratio(metadata, path, part, layer, rank))
        products.append((parameter, arrays["down"], arrays["up"], scale * ratio))
    for parameter, down, up, factor in products:
        value = parameter.value.copy()
        value += product(down, up, factor, value)
        parameter.value = value


def weights(model) -> Iterator[tuple]:
    """Name and weight of each layer that a LoRA can change: the linear layers and the convolutions."""
    return ((name.removesuffix(".weight"), parameter) for name, parameter in model.named_parameters()
            if parameter.value.ndim > 1 and "embeddings." not in name)


def spellings(part: str, layer: str) -> Iterator[str]:
    """All names of a layer in files; the oldest files are of a UNet only and have no prefix."""
    if part == "unet":
        old = re.sub(r"\.(attn\d)\.(to_[a-z]+)(\.0)?$", r".\1.processor.\2_lora", layer)
        yield from (f"unet.{layer}", f"lora_unet_{layer.replace('.', '_')}", f"unet.{old}", old)
    else:
        old = re.sub(r"\.self_attn\.([a-z]+)_proj$", r".self_attn.to_\1_lora", layer)
        yield from (f"text_encoder.{layer}", f"lora_te_text_model_{layer.replace('.', '_')}",
                    f"text_encoder.text_model.{layer}", f"text_encoder.text_model.{old}")


def split_name(name: str) -> tuple[str, str]:
    """'unet.conv_in.lora_A.weight' -> ('unet.conv_in', 'down')"""
    return next(((name[:found.start()], role) for role, end in ENDS.items() if (found := re.search(end, name))),
                (name, "?"))


def fits(shape: tuple[int, ...], down: np.ndarray, up: np.ndarray, alpha: np.ndarray | None = None) -> bool:
    """Whether up · down has the shape of the weight: (O, I), or (k, k, I, O) with down (rank, I, k, k)."""
    rank = down.shape[:1]
    outputs, *inputs = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
    return (down.shape[1:] == tuple(inputs) and up.shape == (outputs, *rank, *(1,) * (len(shape) - 2)) and rank > (0,)
            and (alpha is None or alpha.size == 1))


def product(down, up, factor, weight):
    """factor · up · down, in the layout and dtype of a weight, on the same device."""
    down, up = (array_module(weight).asarray(value, dtype=weight.dtype) for value in (down, up))
    flat = (factor * up.reshape(len(up), -1)) @ down.reshape(len(down), -1)
    return from_file(flat.reshape(len(up), *down.shape[1:]))


def metadata_ratio(metadata: dict[str, str], path: Path, part: str, layer: str, rank: int) -> float:
    """alpha / rank from the metadata that newer diffusers versions write; 1 by default."""
    try:
        config = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        alpha = config.get(f"{part}.lora_alpha", rank)
        for pattern, value in config.get(f"{part}.alpha_pattern", {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", layer):
                alpha = value
                break
        return float(alpha) / (math.sqrt(rank) if config.get(f"{part}.use_rslora") else rank)
    except (AttributeError, TypeError, ValueError, re.error) as error:
        raise _misfit(path, f"its lora_adapter_metadata cannot be read: {error}") from error


def _misfit(path, reason):
    return UserError(f"{path} does not fit this model ({reason}): use a LoRA made for this version of Stable Diffusion")

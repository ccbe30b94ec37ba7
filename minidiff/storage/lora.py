"""LoRA: a fine-tuning stored as low-rank updates of some weights (Hu et al. 2021, section 4.1).

    W ← W + scale · (alpha / rank) · up · down        down (rank, I), up (O, rank); alpha is rank by default

Where there is a magnitude m (O), the rows of the sum are scaled to the lengths m: DoRA (Liu et al. 2024, eq. 5).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..backend import array_module, full_precision
from ..errors import UserError
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from .folders import from_file
from .lora_alpha import checked, ratio, read_notes
from .lora_names import layers_by_name, split_name
from .tensors import map_tensors
from .weight_files import refuse_pickle

NAMES = "lora.safetensors", "pytorch_lora_weights.safetensors", "adapter_model.safetensors"  # ours, diffusers', PEFT's


def merge_lora(path: str | Path, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, scale: float = 1.0) -> None:
    """Add the updates of a file, or of the one in a folder, times `scale`, to the weights.

    Changed weights become new arrays, since loaded ones may be read-only views of a file. Raises UserError, before
    anything has changed, if a tensor does not belong to these models.
    """
    path = lora_file(Path(path))
    refuse_pickle(path)
    if not math.isfinite(scale):
        raise UserError(f"LoRA scale {scale} for {path}: use a finite number")
    tensors, metadata = map_tensors(path)
    if not tensors:
        raise _misfit(path, "it has no tensors")
    layers, found = layers_by_name(unet, text_encoder), {}
    for name, value in tensors.items():
        layer, role = split_name(name)
        if layer not in layers or role is None:
            raise _misfit(path, f"{name} belongs to no layer of it, or is not a LoRA tensor")
        if not np.isfinite(value).all():
            raise UserError(f"{path} has NaN or infinite values in {_short(name)}: get it again, or train it anew")
        arrays = found.setdefault(layers[layer], {})
        if role in arrays:
            raise _misfit(path, f"{name} is not the only {role} of its layer")
        arrays[role] = value
    updates = []
    try:
        notes = read_notes(path, metadata, tensors)
        for (part, layer, parameter), arrays in found.items():
            check_shapes(f"{part}.{layer}", parameter.value.shape, arrays)
            rank = len(arrays["down"])
            factor = scale * (checked(arrays["alpha"].item()) / rank if "alpha" in arrays
                              else ratio(notes[part], layer, rank))
            check_size(f"{part}.{layer}", factor, arrays, parameter.value.dtype)
            updates.append((parameter, arrays, factor))
    except UserError:
        raise
    except ValueError as error:
        raise _misfit(path, str(error)) from error
    for parameter, arrays, factor in updates:
        parameter.value = updated(parameter.value, factor, **arrays)


def lora_file(path: Path) -> Path:
    """The file itself, or the one in a folder. Raises UserError if the folder has none, or several."""
    if not path.is_dir():
        return path
    found = [path / name for name in NAMES if (path / name).is_file()] or sorted(path.glob("*.safetensors"))
    if len(found) != 1:
        names = _short(", ".join(file.name for file in found)) or "no LoRA"
        raise UserError(f"{path} is a folder with {names} in it: give the file of a LoRA")
    return found[0]


def check_shapes(name: str, shape: tuple[int, ...], arrays: dict[str, np.ndarray]) -> None:
    """Raises ValueError unless up · down has the shape of the weight, and the others are as they must be."""
    if not arrays.keys() >= {"down", "up"} or not fits(shape, **arrays):
        shapes = ", ".join(f"{role} {value.shape}" for role, value in arrays.items())
        raise ValueError(f"{name} has {shapes} for a weight {shape}")


def fits(shape, down, up, alpha=None, magnitude=None) -> bool:
    """Weights are (O, I), or (k, k, I, O) with down (rank, I, k, k); alpha is one number, magnitude one an output."""
    rank = down.shape[:1]
    outputs, *inputs = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
    return (down.shape[1:] == tuple(inputs) and up.shape == (outputs, *rank, *(1,) * (len(shape) - 2)) and rank > (0,)
            and (alpha is None or alpha.size == 1) and (magnitude is None or magnitude.size == outputs))


def check_size(name: str, factor: float, arrays: dict[str, np.ndarray], dtype: np.dtype) -> None:
    """Raises ValueError where the update could be too large for the dtype of the weight."""
    down, up = (float(np.abs(arrays[role]).max()) for role in ("down", "up"))
    if not max(down, up, abs(factor) * len(arrays["down"]) * down * up) < float(np.finfo(dtype).max):
        raise ValueError(f"the values of {name} are too large")


def updated(weight, factor, down, up, alpha=None, magnitude=None):
    """weight + factor · up · down, of which the part of each output is scaled to a length if there is `magnitude`."""
    xp, value = array_module(weight), weight.copy()
    value += product(down, up, factor, weight)
    if magnitude is not None:
        rows = value.reshape(-1, value.shape[-1]).T if value.ndim == 4 else value  # (O, ...), as a view
        length = xp.linalg.norm(full_precision(rows), axis=1)
        rows *= (xp.asarray(magnitude, dtype=value.dtype).reshape(-1) / xp.where(length, length, 1))[:, None]
    return value


def product(down, up, factor, weight):
    """factor · up · down, in the layout and dtype of a weight, on the same device."""
    down, up = (array_module(weight).asarray(value, dtype=weight.dtype) for value in (down, up))
    flat = (factor * up.reshape(len(up), -1)) @ down.reshape(len(down), -1)
    return from_file(flat.reshape(len(up), *down.shape[1:]))


def _misfit(path, reason):
    return UserError(f"{path} does not fit this model ({_short(reason)}): "
                     f"use a LoRA made for this version of Stable Diffusion")


def _short(text):
    """One line of at most 250 letters, since names come from files."""
    text = " ".join(text.split())
    return text if len(text) <= 250 else text[:249] + "…"

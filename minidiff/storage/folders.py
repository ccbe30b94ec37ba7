"""One model in a folder, as diffusers and transformers write it: `config.json` and a safetensors file.

The attribute path of a parameter is its name in the file. Convolution weights are (k, k, I, O) in memory and
(O, I, k, k) in files; everything else is the same in both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..backend import to_device, to_host
from ..errors import UserError
from ..fields import shown
from ..nn.module import Module
from ..reading import read_json
from ..writing import new_folder, write_json
from .tensors import write_tensors
from .weight_files import DIFFUSERS, TRANSFORMERS, read_weights

DTYPES = ("float32", "float16", "float64")
OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
UNUSED = re.compile(r"embeddings\.position_ids$|^text_projection\.")  # the constants 0, 1, 2, ...; for CLIP's images
ModelType = TypeVar("ModelType", bound=Module)


def save_model(model: Module, folder: str | Path, dtype: str = "float32", filename: str | None = None) -> None:
    """Write a model as 'float32', 'float16' or 'float64', atomically.

    `filename` is by default the one that diffusers (UNet, autoencoder) or transformers (CLIP) looks for. Where it is
    not told, diffusers computes in float32, transformers in the dtype that config.json names, else in the file's: so
    that a text encoder fits its UNet, config.json names float32.
    Raises UserError if a value is too large for float16 or the folder cannot be written.
    """
    dtype, config = float_dtype(dtype), model.config.to_dict()
    of_diffusers = "_class_name" in config
    filename = filename or f"{DIFFUSERS if of_diffusers else TRANSFORMERS}.safetensors"
    if dtype == "float16" and not of_diffusers:
        config["dtype"] = "float32"
    with new_folder(Path(folder)) as temporary:
        tensors = {name: to_file(name, to_host(p.value), dtype) for name, p in model.named_parameters()}
        write_json(temporary / "config.json", config)
        write_tensors(temporary / filename, tensors, {"format": "pt"})


def load_model(cls: type[ModelType], config_cls: type, folder: str | Path, dtype: str = "float32",
               device: str = "cpu") -> ModelType:
    """Build `cls(None, config)` with the weights of a folder.

    On the CPU, weights that need neither conversion nor transposition are read-only views of the memory-mapped file.
    Raises UserError if a file is missing or damaged, or its tensors do not match the model.
    """
    folder, dtype = Path(folder), float_dtype(dtype)
    config = read_config(config_cls, folder)
    try:
        model = cls(None, config)
    except MemoryError as error:
        raise UserError(f"the model of {folder / 'config.json'} does not fit into memory: get its files again, or use "
                        "a machine with more memory") from error
    names = dict(model.named_parameters())
    path, tensors = read_weights(folder)
    tensors = {name_in_model(name, names): value for name, value in tensors.items()}
    tensors = {name: value for name, value in tensors.items() if name in names or not UNUSED.search(name)}
    return fill(model, tensors, f"{path} does not fit {path.with_name('config.json')}", dtype, device)


def fill(model: ModelType, tensors: dict[str, np.ndarray], fault: str, dtype: str, device: str) -> ModelType:
    """The same model, with `tensors`, as they are in a file but under its own parameter names, as values.

    Raises UserError, which begins with `fault`, if they do not match the model's parameters.
    """
    parameters = dict(model.named_parameters())
    tensors = {name: from_file(value) for name, value in tensors.items()}
    check_tensors(fault, {name: p.value.shape for name, p in parameters.items()}, tensors)
    for name, parameter in parameters.items():
        parameter.value = to_device(in_dtype(name, tensors[name], dtype), device)
    return model


def read_config(config_cls: type, folder: Path):
    """The `config.json` of a folder as a `config_cls`. Raises UserError if it is missing or invalid."""
    path = folder / "config.json"
    return config_cls.from_dict(read_json(path), str(path))


def float_dtype(dtype: str) -> str:
    """The dtype's name. Raises UserError unless weights can be kept in it."""
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError):
        name = ""
    if dtype is None or name not in DTYPES:
        raise UserError(f"dtype {shown(dtype)}: use {', '.join(DTYPES[:-1])} or {DTYPES[-1]}")
    return name


def name_in_model(name: str, parameters) -> str:
    """A tensor's name in the model: drops the prefix of older text encoders and replaces old attention names."""
    if name in parameters:
        return name
    name = re.sub(r"\.(query|key|value|proj_attn)\.", lambda found: OLD_ATTENTION[found[0]], name)
    return name if name in parameters else name.removeprefix("text_model.")


def check_tensors(fault: str, shapes: dict[str, tuple], tensors: dict[str, np.ndarray]) -> None:
    """Raises UserError unless the tensors have exactly the model's names and shapes, and a floating-point dtype."""
    faults = {"missing": sorted(shapes.keys() - tensors.keys()), "unexpected": sorted(tensors.keys() - shapes.keys()),
              "of the wrong shape": [f"{name} {tensors[name].shape}, not {shape}" for name, shape in shapes.items()
                                   if name in tensors and tensors[name].shape != shape],
              "not floating-point": [name for name in shapes if name in tensors and tensors[name].dtype.kind != "f"]}
    found = [f"{len(names)} {what} (first: {names[0]})" for what, names in faults.items() if names]
    if found:
        raise UserError(f"{fault} (tensors: {', '.join(found)}): use files of the same model")


def to_file(name: str, value: np.ndarray, dtype: str) -> np.ndarray:
    """An array as it is stored: (k, k, I, O) -> (O, I, k, k) for convolutions, else unchanged."""
    value = in_dtype(name, value, dtype)
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value


def in_dtype(name: str, value: np.ndarray, dtype: str) -> np.ndarray:
    try:
        with np.errstate(over="raise"):
            return value.astype(dtype, order="C", copy=False)
    except FloatingPointError as error:
        raise UserError(f"{name} has values too large for {dtype}: use float32") from error


def from_file(value: np.ndarray) -> np.ndarray:
    """An array as it is used: (O, I, k, k) -> (k, k, I, O) for convolutions, else unchanged."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value

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
from ..nn.module import Module
from ..reading import read_json
from .files import new_folder, write_json
from .tensors import map_tensors, write_tensors

DIFFUSERS, TRANSFORMERS = "diffusion_pytorch_model.safetensors", "model.safetensors"
HALF = ("diffusion_pytorch_model.fp16.safetensors", "model.fp16.safetensors")
PICKLES = {".ckpt", ".bin", ".pt", ".pth", ".pkl"}
OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
UNUSED = re.compile(r"embeddings\.position_ids$|^text_projection\.")  # the constants 0, 1, 2, ...; for CLIP's images
ModelType = TypeVar("ModelType", bound=Module)


def save_model(model: Module, folder: str | Path, dtype: str = "float32", filename: str | None = None) -> None:
    """Write a model as 'float32' or 'float16', atomically.

    `filename` is by default the one that diffusers (UNet, autoencoder) or transformers (CLIP) looks for.
    Raises UserError if a value is too large for float16 or the folder cannot be written.
    """
    config = model.config.to_dict()
    filename = filename or (DIFFUSERS if "_class_name" in config else TRANSFORMERS)
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
    folder = Path(folder)
    config, path = read_config(config_cls, folder), find_weights(folder)
    try:
        model = cls(None, config)
    except MemoryError as error:
        raise UserError(f"the model of {folder / 'config.json'} does not fit into memory: get its files again, or use "
                        "a machine with more memory") from error
    names = dict(model.named_parameters())
    found = {name_in_model(name, names): value for name, value in map_tensors(path)[0].items()}
    tensors = {name: value for name, value in found.items() if name in names or not UNUSED.search(name)}
    return fill(model, tensors, f"{path} does not fit {path.with_name('config.json')}", dtype, device)


def fill(model: ModelType, tensors: dict[str, np.ndarray], fault: str, dtype: str, device: str) -> ModelType:
    """The same model, with `tensors`, as they are in a file but under its own parameter names, as values.

    Raises UserError, which begins with `fault`, if they do not match the model's parameters.
    """
    parameters = dict(model.named_parameters())
    tensors = {name: from_file(value) for name, value in tensors.items()}
    check_tensors(fault, {name: p.value.shape for name, p in parameters.items()}, tensors)
    for name, parameter in parameters.items():
        parameter.value = to_device(np.asarray(tensors[name], dtype, order="C"), device)
    return model


def read_config(config_cls: type, folder: Path):
    """The `config.json` of a folder as a `config_cls`. Raises UserError if it is missing or invalid."""
    path = folder / "config.json"
    return config_cls.from_dict(read_json(path), str(path))


def find_weights(folder: Path) -> Path:
    """The safetensors file in a folder. Raises UserError if there is none."""
    for name in (DIFFUSERS, TRANSFORMERS, *HALF):
        if (folder / name).is_file():
            return folder / name
    for path in sorted(folder.iterdir()):
        refuse_pickle(path)
    raise UserError(f"no {DIFFUSERS} or {TRANSFORMERS} in {folder}: get the missing file")


def refuse_pickle(path: Path) -> None:
    """Raises UserError for a file that would have to be unpickled."""
    if path.suffix in PICKLES:
        raise UserError(f"{path} is a pickle, which can run arbitrary code when opened: get the model as .safetensors, "
                        "or convert it if you trust it (diffusers: save_pretrained(..., safe_serialization=True))")


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
    try:
        with np.errstate(over="raise"):
            value = value.astype(dtype, copy=False)
    except FloatingPointError as error:
        raise UserError(f"{name} has values too large for {dtype}: save the model as float32") from error
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value


def from_file(value: np.ndarray) -> np.ndarray:
    """An array as it is used: (O, I, k, k) -> (k, k, I, O) for convolutions, else unchanged."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value

"""Which files of a folder hold a model's weights: one, one of several variants, or the shards that an index names.

    diffusion_pytorch_model.safetensors           model.safetensors          diffusers' name and transformers'
    diffusion_pytorch_model.fp16.safetensors                                 a variant
    diffusion_pytorch_model.safetensors.index.json                           {"weight_map": {tensor: file of a shard}}
    diffusion_pytorch_model.safetensors.index.fp16.json                      the index of a variant
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..fields import shown
from ..reading import LONGEST_NAME, read_json
from .tensors import map_tensors

DIFFUSERS, TRANSFORMERS = "diffusion_pytorch_model", "model"
VARIANTS = ("", "fp32", "fp16", "bf16", "non_ema")  # in order of preference
PICKLES = {".ckpt", ".bin", ".pt", ".pth", ".pkl"}


def read_weights(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """The file that stands for a model's weights, of which an error should speak, and the tensors.

    Raises UserError if there are none, or if a file of them is missing or damaged.
    """
    path = find_weights(folder)
    if path.suffix != ".json":
        return path, map_tensors(path)[0]
    index, shards = weight_map(path), {}
    for file in dict.fromkeys(index.values()):
        if not (folder / file).is_file():
            raise UserError(f"{path} names {file}, which is not there: get the missing file")
        shards[file] = map_tensors(folder / file)[0]
    found = {name: tensor for tensors in shards.values() for name, tensor in tensors.items()}
    for name, file in index.items():
        if name not in shards[file]:
            raise UserError(f"{path} says that {name} is in {file}, where it is not: get both files again")
    return path, found


def find_weights(folder: Path) -> Path:
    """The safetensors file in a folder, or the index of several. Raises UserError if there is none."""
    for variant in VARIANTS:
        part = f".{variant}" if variant else ""
        for name in (DIFFUSERS, TRANSFORMERS):
            for file in (f"{name}{part}.safetensors", f"{name}.safetensors.index{part}.json"):
                if (folder / file).is_file():
                    return folder / file
    try:
        found = sorted(folder.iterdir())
    except OSError:
        found = []
    for path in found:
        refuse_pickle(path)
    raise UserError(f"no {DIFFUSERS}.safetensors or {TRANSFORMERS}.safetensors in {folder}: get the missing file")


def weight_files(folder: Path) -> list[Path]:
    """The files in which `read_weights` would find the weights."""
    path = find_weights(folder)
    return [path] if path.suffix != ".json" else [folder / file for file in dict.fromkeys(weight_map(path).values())]


def weight_map(path: Path) -> dict[str, str]:
    """{tensor: file} of an index. Raises UserError unless all files would be in the same folder."""
    found = read_json(path).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} has no weight_map: get it again from the source of the model")
    for file in found.values():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors") or (
                len(file.encode("utf-8", "replace")) > LONGEST_NAME):
            raise UserError(f"{path} names {shown(file)}, which is no safetensors file of its folder: get it again "
                            "from the source of the model")
    return found


def refuse_pickle(path: Path) -> None:
    """Raises UserError for a file that would have to be unpickled."""
    if path.suffix in PICKLES:
        raise UserError(f"{path} is a pickle, which can run arbitrary code when opened: get the model as .safetensors, "
                        "or convert it if you trust it (diffusers: save_pretrained(..., safe_serialization=True))")

"""A whole text-to-image model in a folder that `diffusers.StableDiffusionPipeline.from_pretrained` opens.

    model_index.json   unet/   vae/   text_encoder/   tokenizer/   scheduler/   and clip/, which diffusers ignores
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import arguments
from ..diffusion.scheduler_config import check_config
from ..errors import UserError
from ..fields import shown
from ..models.autoencoder import AutoencoderKL
from ..models.clip import CLIPModel
from ..models.configs import AutoencoderConfig, CLIPConfig, TextConfig, UNetConfig
from ..models.parts import check_parts
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from ..reading import read_json
from ..tokenizer import Tokenizer
from ..writing import new_folder, surviving, write_json
from .folders import float_dtype, load_model, read_config, save_model
from .weight_files import refuse_pickle

INDEX, SCHEDULER, CLIP = "model_index.json", "scheduler_config.json", "clip"
MODELS = {"unet": (UNet2DConditionModel, UNetConfig), "vae": (AutoencoderKL, AutoencoderConfig),
          "text_encoder": (CLIPTextModel, TextConfig)}
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass
class Parts:
    """What text-to-image needs; `scheduler` is the content of `scheduler_config.json`."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: Tokenizer
    scheduler: dict


def save_pipeline(parts: Parts, folder: str | Path, clip: CLIPModel | None = None, dtype: str = "float16") -> None:
    """Write all parts, atomically. Raises UserError if the folder cannot be written."""
    dtype = float_dtype(dtype)
    with new_folder(Path(folder)) as temporary:
        save_model(parts.unet, temporary / "unet", dtype)
        save_model(parts.vae, temporary / "vae", dtype)
        save_model(parts.text_encoder, temporary / "text_encoder", dtype)
        parts.tokenizer.save_pretrained(temporary / "tokenizer")
        (temporary / "scheduler").mkdir()
        write_json(temporary / "scheduler" / SCHEDULER, parts.scheduler)
        if clip is not None:
            save_model(clip, temporary / CLIP, dtype)
        write_json(temporary / INDEX, index_content(parts.scheduler["_class_name"]))


def load_pipeline(model: str | Path, dtype: str = "float32", device: str = "cpu") -> Parts:
    """The parts of a model, given by the name of a shipped one or by its folder. Raises UserError if one is missing."""
    folder = find_model(model)
    index = read_index(folder)
    configs = {name: read_config(config_cls, folder / name) for name, (_, config_cls) in MODELS.items()}
    tokenizer, scheduler = Tokenizer.from_pretrained(folder / "tokenizer"), read_scheduler(folder, index)
    check_parts(**configs, tokens=len(tokenizer), length=tokenizer.max_length)
    models = {name: load_model(*classes, folder / name, dtype, device) for name, classes in MODELS.items()}
    return Parts(**models, tokenizer=tokenizer, scheduler=scheduler)


def load_clip(model: str | Path, dtype: str = "float32", device: str = "cpu") -> CLIPModel:
    """The contrastive model of a text-to-image model, from clip/. Raises UserError if there is none."""
    folder = find_model(model) / CLIP
    if not folder.is_dir():
        raise UserError(f"{folder.parent} has no contrastive model: use a model with a folder {folder.name}")
    return load_model(CLIPModel, CLIPConfig, folder, dtype, device)


def find_clip(model: str | Path, dtype: str = "float32", device: str = "cpu") -> CLIPModel | None:
    """The contrastive model of a text-to-image model, if it has one."""
    return load_clip(model, dtype, device) if (find_model(model) / CLIP).is_dir() else None


def find_model(model: str | Path) -> Path:
    """The folder of a shipped model, given by name, or the folder itself (write ./NAME if a shipped one has that name).

    Raises UserError if there is no such model.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return shipped[str(model)]
    folder = surviving(arguments.path("model", model))
    refuse_pickle(folder)
    if not folder.exists():
        names = ", ".join(shipped) or "(none)"
        raise UserError(f"unknown model {str(model)!r}: give a folder, or the name of a shipped model: {names}")
    if not (folder / INDEX).is_file():
        inside = sorted(folder.glob(f"*/{INDEX}"))  # as in the folder of a run
        such = f", as {inside[0].parent} does" if inside else ""
        raise UserError(f"{folder} is not a model: give the folder that contains {INDEX}{such}")
    return folder


def shipped_models() -> dict[str, Path]:
    """Name -> folder of each shipped model: inside the package when installed, next to it in a source tree."""
    for weights in (PACKAGE / "weights", PACKAGE.parent / "weights"):
        folders = {index.parent.name: index.parent for index in sorted(weights.glob(f"*/{INDEX}"))}
        if folders:
            return folders
    return {}


def index_content(scheduler: str) -> dict:
    """`model_index.json`: which library and class opens which folder."""
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", scheduler],
        "text_encoder": ["transformers", CLIPTextModel.__name__],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", UNet2DConditionModel.__name__],
        "vae": ["diffusers", AutoencoderKL.__name__],
    }


def read_index(folder: Path) -> dict:
    """`model_index.json`. Raises UserError unless the models of the pipeline are those implemented here."""
    index = read_json(folder / INDEX)
    for name, (cls, _) in MODELS.items():
        entry = index.get(name)
        if not isinstance(entry, list) or entry[1:] != [cls.__name__]:
            raise UserError(f"{folder / INDEX} has {shown(entry)} as its {name}, not {cls.__name__}: "
                            "use a pipeline of Stable Diffusion 1 or 2")
    return index


def read_scheduler(folder: Path, index: dict) -> dict:
    """`scheduler_config.json` as StableDiffusionPipeline takes it: of the index's class, and with an offset of 1."""
    path, entry = folder / "scheduler" / SCHEDULER, index.get("scheduler")
    named = {"_class_name": entry[1]} if isinstance(entry, list) and len(entry) == 2 else {}
    config = read_json(path) | named | {"steps_offset": 1}
    check_config(config, str(path))
    return config

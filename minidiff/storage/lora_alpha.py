"""The factor alpha / rank of LoRA layers, from what is noted beside the tensors: the fields of PEFT's LoraConfig.

    scale of a layer = alpha / rank, or alpha / √rank with use_rslora (Kalajdzievski 2023, 2312.03732)

Diffusers writes them into the file's metadata, with the prefix `unet.` or `text_encoder.`; PEFT into a file beside it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError
from ..fields import fits, shown
from ..reading import read_json
from .lora_names import PEFT

METADATA, CONFIG = "lora_adapter_metadata", "adapter_config.json"
PARTS = ("unet", "text_encoder")


def read_notes(path: Path, metadata: dict[str, str], names: Iterable[str]) -> dict[str, dict]:
    """The fields for each part of the model; none, if nothing is noted.

    Raises ValueError if they cannot be read, and UserError where PEFT's file is missing: without it, a file of PEFT's
    does not say how strong it is.
    """
    if METADATA not in metadata:
        config, of_peft = path.parent / CONFIG, any(name.startswith(PEFT) for name in names)
        if of_peft and not config.is_file():
            raise UserError(f"{path} is of PEFT, without its {CONFIG}: put that beside it")
        return dict.fromkeys(PARTS, read_json(config) if of_peft else {})
    try:
        fields = json.loads(metadata[METADATA])
    except (RecursionError, ValueError) as error:
        raise ValueError(f"its {METADATA} cannot be read: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError(f"its {METADATA} is not a JSON object")
    return {part: {name.removeprefix(f"{part}."): value for name, value in fields.items()
                   if name.startswith(f"{part}.")} for part in PARTS}


def ratio(fields: dict, layer: str, rank: int) -> float:
    """alpha / rank of a layer; 1 by default. Raises ValueError if it is no number, negative or not finite."""
    patterns = fields.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise ValueError(f"alpha_pattern is {shown(patterns)[:50]}, not an object")
    root = fields.get("use_rslora")
    if not fits(root, bool | None):
        raise ValueError(f"use_rslora is {shown(root)[:50]}, not true or false")
    alpha = next((value for pattern, value in patterns.items() if matches(pattern, layer)),
                 fields.get("lora_alpha", rank))
    return checked(alpha) / (math.sqrt(rank) if root else rank)


def matches(pattern: str, layer: str) -> bool:
    """Whether a pattern is the name of a layer or, unless it begins with ^, the end of its name.

    PEFT takes patterns as regular expressions; one that is more than a name could run for years. Raises ValueError.
    """
    name = pattern.removeprefix("^")
    if not re.fullmatch(r"[\w.]+", name):
        raise ValueError(f"alpha_pattern has {pattern[:50]!r}, which is not the name of a layer")
    name = name.removeprefix("text_model.")
    return layer == name or (pattern[0] != "^" and layer.endswith(f".{name}"))


def checked(alpha) -> float:
    """An alpha as a float. Raises ValueError unless it is a finite number of at least 0."""
    if not fits(alpha, float) or alpha < 0:
        raise ValueError(f"alpha is {shown(alpha)[:20]}, not a finite number of at least 0")
    return float(alpha)

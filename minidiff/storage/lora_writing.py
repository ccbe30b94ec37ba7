"""Writes trained factors as a LoRA file that diffusers' `load_lora_weights` and `merge_lora` open.

    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight    (rank, I)
    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.weight    (O, rank)

Rank and alpha are in the metadata, as diffusers writes them: the fields of peft's LoraConfig, with the prefix `unet.`
"""

from __future__ import annotations

import json
from pathlib import Path

from ..backend import to_host
from ..models.unet import UNet2DConditionModel
from ..nn.lora import Factors, lora_layers
from ..writing import new_file
from .tensors import write_tensors

LAYERS = ["to_k", "to_out.0", "to_q", "to_v"]


def save_lora(unet: UNet2DConditionModel, path: str | Path) -> None:
    """Write the factors of a UNet, atomically. Raises UserError if the file cannot be written."""
    layer = lora_layers(unet)[0]  # all have the same rank
    config = {"unet.r": layer.rank, "unet.lora_alpha": layer.alpha, "unet.target_modules": LAYERS}
    tensors = {f"unet.{name}": to_host(p.value) for name, p in Factors(unet).named_parameters()}
    with new_file(Path(path)) as temporary:
        write_tensors(temporary, tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(config)})

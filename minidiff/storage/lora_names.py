"""The names of LoRA tensors: trainers name the layers of a model in several ways; diffusers calls down A and up B.

    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight            diffusers
    base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight     PEFT
    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight    older diffusers
    lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight    kohya, with .alpha

PEFT may put the name of the adapter after A and B: lora_A.default.weight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PEFT = "base_model.model."
ADAPTER = r"(\.[^.]+)?"
ENDS = {"down": rf"\.(lora_A{ADAPTER}|lora_down|(lora\.|lora_linear_layer\.)?down)\.weight$",
        "up": rf"\.(lora_B{ADAPTER}|lora_up|(lora\.|lora_linear_layer\.)?up)\.weight$",
        "alpha": r"\.alpha$",
        "magnitude": rf"\.lora_magnitude_vector{ADAPTER}(\.weight)?$"}


def split_name(name: str) -> tuple[str, str | None]:
    """'unet.conv_in.lora_A.weight' -> ('unet.conv_in', 'down'); the role of what is no LoRA tensor is None."""
    return next(((name[:found.start()].replace(PEFT, "", 1), role) for role, end in ENDS.items()
                 if (found := re.search(end, name))), (name, None))


def layers_by_name(unet, text_encoder) -> dict[str, tuple]:
    """(part, layer, weight) of each layer that a LoRA can change, by every name that it has in files.

    Those are the linear layers and the convolutions.
    """
    return {name: (part, layer, parameter) for part, model in (("unet", unet), ("text_encoder", text_encoder))
            for layer, parameter in weights(model) for name in spellings(part, layer)}


def weights(model) -> Iterator[tuple]:
    return ((name.removesuffix(".weight"), parameter) for name, parameter in model.named_parameters()
            if parameter.value.ndim > 1 and "embeddings." not in name)


def spellings(part: str, layer: str) -> Iterator[str]:
    """All names of a layer in files; those of a single model have no prefix."""
    if part == "unet":
        old = re.sub(r"\.(attn\d)\.(to_[a-z]+)(\.0)?$", r".\1.processor.\2_lora", layer)
        yield from (layer, f"unet.{layer}", f"lora_unet_{layer.replace('.', '_')}", f"unet.{old}", old)
    else:
        old = re.sub(r"\.self_attn\.([a-z]+)_proj$", r".self_attn.to_\1_lora", layer)
        flat = f"text_model_{layer.replace('.', '_')}"
        yield from (layer, f"text_model.{layer}", f"text_encoder.{layer}", f"lora_te_{flat}", f"lora_te1_{flat}",
                    f"text_encoder.text_model.{layer}", f"text_encoder.text_model.{old}")

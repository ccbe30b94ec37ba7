"""LoRA files of random weights, with the names that trainers give them."""

from __future__ import annotations

import re

import numpy as np

from minidiff.nn.lora import add_lora

UNET_LAYERS = ["down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q",
               "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
               "up_blocks.1.attentions.2.transformer_blocks.0.attn2.to_out.0",
               "down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj",
               "up_blocks.2.attentions.0.proj_in", "down_blocks.2.resnets.1.conv2", "mid_block.resnets.0.time_emb_proj",
               "up_blocks.0.resnets.0.conv_shortcut", "down_blocks.0.downsamplers.0.conv"]
TEXT_LAYERS = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.self_attn.out_proj", "encoder.layers.1.mlp.fc1"]


def learned(pipe, layers=None, rank=3):
    """{(part, layer): (down, up)} as a file holds them: matrices, or convolutions of which up is 1 x 1."""
    rng, found = np.random.default_rng(5), {}
    for part, model, usual in (("unet", pipe.unet, UNET_LAYERS), ("text_encoder", pipe.text_encoder, TEXT_LAYERS)):
        weights = {name.removesuffix(".weight"): p.value for name, p in model.named_parameters()}
        for layer in usual if layers is None else [layer for layer in layers if layer in usual]:
            *kernel, inputs, outputs = weights[layer].shape if weights[layer].ndim == 4 else weights[layer].shape[::-1]
            found[part, layer] = tuple(0.15 * rng.standard_normal(shape, np.float32) for shape in (
                (rank, inputs, *kernel), (outputs, rank, *(1 for _ in kernel))))
    return found


def of_diffusers(products):
    """unet.….to_q.lora_A.weight"""
    return {f"{part}.{layer}.lora_{letter}.weight": value for (part, layer), pair in products.items()
            for letter, value in zip("AB", pair, strict=True)}


def of_older_diffusers(products):
    """unet.….processor.to_q_lora.down.weight and text_encoder.text_model.….to_q_lora.down.weight, …lora.down.weight"""
    tensors = {}
    for (part, layer), pair in products.items():
        if part == "unet":
            name = re.sub(r"\.to_(q|k|v|out)(\.0)?$", r".processor.to_\1_lora", layer)
        else:
            name = "text_model." + re.sub(r"\.(q|k|v|out)_proj$", r".to_\1_lora", layer)
        inner = "" if name.endswith("_lora") else ".lora" if part == "unet" else ".lora_linear_layer"
        tensors |= {f"{part}.{name}{inner}.{word}.weight": value
                    for word, value in zip(("down", "up"), pair, strict=True)}
    return tensors


def of_kohya(products, alpha=None):
    """lora_unet_…_to_q.lora_down.weight, with alpha; lora_te_text_model_… for the text encoder"""
    tensors = {}
    for (part, layer), pair in products.items():
        name = ("lora_unet_" if part == "unet" else "lora_te_text_model_") + layer.replace(".", "_")
        tensors |= {f"{name}.lora_{word}.weight": value for word, value in zip(("down", "up"), pair, strict=True)}
        if alpha is not None:
            tensors[f"{name}.alpha"] = np.array(alpha, np.float32)
    return tensors


def of_peft(products, adapter="default"):
    """base_model.model.….to_q.lora_A.default.weight: one model in a file, which does not say which"""
    return {f"base_model.model.{layer if part == 'unet' else 'text_model.' + layer}.lora_{letter}.{adapter}.weight":
            value for (part, layer), pair in products.items() for letter, value in zip("AB", pair, strict=True)}


def with_factors(pipe, rank, alpha):
    """The pipeline, whose UNet has factors that changed it a lot."""
    rng = np.random.default_rng(6)
    for parameter in add_lora(pipe.unet, rank, alpha, rng).parameters():
        parameter.value = 0.15 * rng.standard_normal(parameter.value.shape, np.float32)
    return pipe

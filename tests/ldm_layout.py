"""Tiny models like Stable Diffusion 1 and 2, and the single files in which their originals would be published.

The names are written down block by block, as the original code numbers them: nothing here is what reads them back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tiny_pipeline import LENGTH, WORDS

from minidiff.models.autoencoder import AutoencoderKL
from minidiff.models.configs import AutoencoderConfig, TextConfig, UNetConfig
from minidiff.models.text_encoder import CLIPTextModel
from minidiff.models.unet import UNet2DConditionModel
from minidiff.pipeline import Pipeline
from minidiff.tokenizer import Tokenizer

LEVELS, WIDTH = 3, 128
SCHEDULER = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
             "beta_end": 0.012, "num_train_timesteps": 1000, "prediction_type": "epsilon", "skip_prk_steps": True,
             "set_alpha_to_one": False, "steps_offset": 1}
RESNET = {"in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj", "out_layers.0": "norm2",
          "out_layers.3": "conv2", "skip_connection": "conv_shortcut"}
UNET = {"time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2", "out.0": "conv_norm_out",
        "out.2": "conv_out", "input_blocks.0.0": "conv_in", "middle_block.1": "mid_block.attentions.0"}
CLIP_LAYER = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
              "attn.out_proj": "self_attn.out_proj"}


def tiny_stable_diffusion(version: int) -> Pipeline:
    """Two residual blocks a level, the last without attention; version 2 has other heads, projections and depth."""
    rng, second = np.random.default_rng(version), version == 2
    tokenizer = Tokenizer.train(WORDS, 600, LENGTH)
    tokenizer = Tokenizer(tokenizer.merges, LENGTH, "!" if second else None)
    vocabulary = len(tokenizer)
    text = TextConfig(vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=24, num_attention_heads=WIDTH // 64,
                      num_hidden_layers=23 if second else 2, max_position_embeddings=LENGTH,
                      hidden_act="gelu" if second else "quick_gelu", projection_dim=WIDTH, bos_token_id=vocabulary - 2,
                      eos_token_id=vocabulary - 1, pad_token_id=tokenizer.pad_id)
    widths = (64, 128, 64) if second else (32, 64, 32)
    unet = UNetConfig(block_out_channels=widths, cross_attention_dim=WIDTH, sample_size=64,
                      down_block_types=("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",),
                      up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 2, use_linear_projection=second,
                      attention_head_dim=(1, 2, 1) if second else 8)
    vae = AutoencoderConfig(block_out_channels=(32, 64), layers_per_block=1, sample_size=128)
    return Pipeline(tokenizer, CLIPTextModel(rng, text), UNet2DConditionModel(rng, unet), AutoencoderKL(rng, vae),
                    SCHEDULER)


def write_single_file(pipe: Pipeline, version: int, path: Path) -> None:
    """With what published files hold besides: a schedule, averaged weights, position ids, OpenCLIP's last layer."""
    tensors = {"betas": np.ones(5, np.float32), "model_ema.decay": np.ones((), np.float32)}
    tensors |= translated(pipe.unet, unet_names(), "model.diffusion_model.")
    vae = translated(pipe.vae, vae_names(), "first_stage_model.")
    tensors |= {name: value[:, :, None, None] if "attn_1" in name and value.ndim == 2 else value
                for name, value in vae.items()}
    if version == 1:
        text = stored(pipe.text_encoder) | {"embeddings.position_ids": np.arange(LENGTH)[None]}
        tensors |= {f"cond_stage_model.transformer.text_model.{name}": value for name, value in text.items()}
    else:
        tensors |= openclip(pipe.text_encoder)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)


def unet_names() -> dict[str, str]:
    """Original module -> ours, for two residual blocks a level on the way down and three on the way up."""
    names, down, up = dict(UNET), 1, 0
    resnets = {"middle_block.0": "mid_block.resnets.0", "middle_block.2": "mid_block.resnets.1"}
    for level in range(LEVELS):
        attends = level < LEVELS - 1
        for i in range(2):
            resnets[f"input_blocks.{down}.0"] = f"down_blocks.{level}.resnets.{i}"
            if attends:
                names[f"input_blocks.{down}.1"] = f"down_blocks.{level}.attentions.{i}"
            down += 1
        if level < LEVELS - 1:
            names[f"input_blocks.{down}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
            down += 1
    for level in range(LEVELS):
        attends = level > 0
        for i in range(3):
            resnets[f"output_blocks.{up}.0"] = f"up_blocks.{level}.resnets.{i}"
            if attends:
                names[f"output_blocks.{up}.1"] = f"up_blocks.{level}.attentions.{i}"
            up += 1
        if level < LEVELS - 1:
            names[f"output_blocks.{up - 1}.{1 + attends}.conv"] = f"up_blocks.{level}.upsamplers.0.conv"
    return names | {f"{block}.{theirs}": f"{ours_block}.{ours}" for block, ours_block in resnets.items()
                    for theirs, ours in RESNET.items()}


def vae_names() -> dict[str, str]:
    """For two levels of one residual block down and two up; level 1 of the decoder, the coarse one, is our first."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    resnets = {"encoder.down.0.block.0": "encoder.down_blocks.0.resnets.0",
               "encoder.down.1.block.0": "encoder.down_blocks.1.resnets.0"}
    for i in range(2):
        resnets[f"decoder.up.1.block.{i}"] = f"decoder.up_blocks.0.resnets.{i}"
        resnets[f"decoder.up.0.block.{i}"] = f"decoder.up_blocks.1.resnets.{i}"
    names["encoder.down.0.downsample.conv"] = "encoder.down_blocks.0.downsamplers.0.conv"
    names["decoder.up.1.upsample.conv"] = "decoder.up_blocks.0.upsamplers.0.conv"
    for side in ("encoder", "decoder"):
        names |= {f"{side}.conv_in": f"{side}.conv_in", f"{side}.norm_out": f"{side}.conv_norm_out",
                  f"{side}.conv_out": f"{side}.conv_out"}
        names |= {f"{side}.mid.attn_1.{theirs}": f"{side}.mid_block.attentions.0.{ours}" for theirs, ours in
                  {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}.items()}
        resnets |= {f"{side}.mid.block_{1 + i}": f"{side}.mid_block.resnets.{i}" for i in range(2)}
    inner = {name: name for name in ("norm1", "conv1", "norm2", "conv2")} | {"nin_shortcut": "conv_shortcut"}
    return names | {f"{block}.{theirs}": f"{ours_block}.{ours}" for block, ours_block in resnets.items()
                    for theirs, ours in inner.items()}


def openclip(model: CLIPTextModel) -> dict[str, np.ndarray]:
    values = stored(model)
    found = {"positional_embedding": values["embeddings.position_embedding.weight"],
             "token_embedding.weight": values["embeddings.token_embedding.weight"],
             "ln_final.weight": values["final_layer_norm.weight"], "ln_final.bias": values["final_layer_norm.bias"],
             "text_projection": np.eye(WIDTH, dtype=np.float32), "logit_scale": np.ones((), np.float32)}
    for layer in range(24):
        ours, theirs = f"encoder.layers.{min(layer, 22)}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            found |= {f"{theirs}{name}.{kind}": values[f"{ours}{own}.{kind}"] for name, own in CLIP_LAYER.items()}
            found[f"{theirs}attn.in_proj_{kind}"] = np.concatenate(
                [values[f"{ours}self_attn.{letter}_proj.{kind}"] for letter in "qkv"])
    return {f"cond_stage_model.model.{name}": value for name, value in found.items()}


def stored(model) -> dict[str, np.ndarray]:
    """The values as PyTorch keeps them: (k, k, I, O) -> (O, I, k, k)"""
    return {name: p.value.transpose(3, 2, 0, 1) if p.value.ndim == 4 else p.value
            for name, p in model.named_parameters()}


def translated(model, names: dict[str, str], prefix: str) -> dict[str, np.ndarray]:
    values, found = stored(model), {}
    for theirs, ours in names.items():
        mine = [name for name in values if name.startswith(f"{ours}.")]
        found |= {prefix + theirs + name.removeprefix(ours): values.pop(name) for name in mine}
    assert not values, f"without an original name: {list(values)}"
    return found

"""The original layout of Stable Diffusion 1 and 2: one file with all models, in the names of the LDM code base.

    model.diffusion_model.input_blocks.1.1.proj_in.weight    first_stage_model.decoder.up.3.block.0.conv1.weight
    cond_stage_model.transformer.text_model.…  (version 1)   cond_stage_model.model.transformer.resblocks.…  (2)

Tensors are renamed to ours, then the shapes say the configuration. What they do not say is Stable Diffusion's own: 32
groups, 8 heads or heads of 64 channels, the scaling factor. Nothing in a file says whether a network predicts noise or
v (the 768-pixel models of version 2), and no file holds a tokenizer.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..diffusion.scheduler import Scheduler
from ..diffusion.scheduler_config import to_config
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..models.configs import AutoencoderConfig, TextConfig, UNetConfig
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from ..tokenizer import Tokenizer
from .folders import fill, refuse_pickle
from .pipeline_folder import Parts
from .tensors import map_tensors

Tensors = dict[str, np.ndarray]
UNET, VAE, TEXT_1, TEXT_2 = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.",
                             "cond_stage_model.model.")
HEAD = 64          # channels of an attention head, wherever their number is not fixed
LAYERS_READ = 23   # version 2 reads the state before the last of OpenCLIP's 24 layers
PROJECTION = {"text_projection", "logit_scale", "attn_mask"}  # of OpenCLIP: not used for images

UNET_NAMES = {r"^time_embed\.0": "time_embedding.linear_1", r"^time_embed\.2": "time_embedding.linear_2",
              r"^input_blocks\.0\.0": "conv_in", r"^out\.0": "conv_norm_out", r"^out\.2": "conv_out",
              r"^middle_block\.0": "mid_block.resnets.0", r"^middle_block\.1": "mid_block.attentions.0",
              r"^middle_block\.2": "mid_block.resnets.1",
              r"\bin_layers\.0": "norm1", r"\bin_layers\.2": "conv1", r"\bemb_layers\.1": "time_emb_proj",
              r"\bout_layers\.0": "norm2", r"\bout_layers\.3": "conv2", r"\bskip_connection": "conv_shortcut"}
VAE_NAMES = {r"\bdown\.(\d+)\.block\.": r"down_blocks.\1.resnets.", r"\bup\.(\d+)\.block\.": r"up_blocks.\1.resnets.",
             r"\bdown\.(\d+)\.downsample\.": r"down_blocks.\1.downsamplers.0.",
             r"\bup\.(\d+)\.upsample\.": r"up_blocks.\1.upsamplers.0.",
             r"\bmid\.block_1": "mid_block.resnets.0", r"\bmid\.block_2": "mid_block.resnets.1",
             r"\bmid\.attn_1\.norm": "mid_block.attentions.0.group_norm",
             r"\bmid\.attn_1\.([qkv])\b": r"mid_block.attentions.0.to_\1",
             r"\bmid\.attn_1\.proj_out": "mid_block.attentions.0.to_out.0",
             r"\bnin_shortcut": "conv_shortcut", r"\bnorm_out": "conv_norm_out"}
OPENCLIP_NAMES = {r"^positional_embedding": "embeddings.position_embedding.weight",
                  r"^token_embedding": "embeddings.token_embedding", r"^ln_final": "final_layer_norm",
                  r"^transformer\.resblocks": "encoder.layers", r"\bln_(\d)": r"layer_norm\1",
                  r"\bmlp\.c_fc": "mlp.fc1", r"\bmlp\.c_proj": "mlp.fc2", r"\battn\.": "self_attn."}


def load_single_file(path: str | Path, tokenizer: str | Path | None = None, prediction_type: str | None = None,
                     dtype: str = "float32", device: str = "cpu") -> Parts:
    """The parts of a model in one `.safetensors` file; on the CPU, weights stay in it as `load_model` says.

    `tokenizer` is a folder with vocab.json and merges.txt, by default the file's own folder or tokenizer/ in it;
    `prediction_type` is 'epsilon' (the default) or 'v_prediction'. Raises UserError where the file holds no Stable
    Diffusion 1 or 2, or there is no tokenizer.
    """
    path = Path(path)
    refuse_pickle(path)
    scheduler = to_config(Scheduler("pndm", prediction_type=prediction_type or "epsilon"))
    tensors, _ = map_tensors(path)
    second = any(name.startswith(TEXT_2) for name in tensors)
    try:
        unet, vae = unet_tensors(part(tensors, UNET)), vae_tensors(part(tensors, VAE))
        text = openclip_tensors(part(tensors, TEXT_2)) if second else clip_tensors(part(tensors, TEXT_1))
        side = 96 if second and prediction_type == "v_prediction" else 64
        models = [(UNet2DConditionModel(None, unet_config(unet, side)), unet),
                  (AutoencoderKL(None, vae_config(vae, side)), vae),
                  (CLIPTextModel(None, text_config(text, second)), text)]
    except (ArithmeticError, LookupError, MemoryError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path} is no Stable Diffusion 1 or 2 in the original layout ({reason}): "
                        "give such a file, or the folder of a model") from error
    fault = f"{path} does not fit Stable Diffusion {1 + second}"
    unet, vae, text = (fill(model, values, fault, dtype, device) for model, values in models)
    return Parts(unet, vae, text, open_tokenizer(path, tokenizer, text.config, "!" if second else None), scheduler)


def open_tokenizer(path: Path, folder: str | Path | None, config: TextConfig, pad: str | None) -> Tokenizer:
    """The vocabulary from a folder, with the row length and the padding of a text encoder."""
    places = [path.parent, path.parent / "tokenizer"] if folder is None else [Path(folder)]
    found = [place for place in places if (place / "merges.txt").is_file() or (place / "tokenizer.json").is_file()]
    if not found:
        raise UserError(f"{path.name} holds no tokenizer and there is none in {' or '.join(map(str, places))}: put "
                        "CLIP's vocab.json and merges.txt beside the file, or name their folder as the tokenizer")
    tokenizer = Tokenizer(Tokenizer.from_pretrained(found[0]).merges, config.max_position_embeddings, pad)
    if len(tokenizer) != config.vocab_size:
        raise UserError(f"the tokenizer in {found[0]} has {len(tokenizer)} tokens, {path.name} {config.vocab_size}: "
                        "use the one that the model was trained with")
    return tokenizer


def part(tensors: Tensors, prefix: str) -> Tensors:
    """One model's tensors, without the prefix. Raises KeyError where there is none."""
    found = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    if not found:
        raise KeyError(f"{prefix}…")
    return found


def renamed(name: str, names: dict[str, str]) -> str:
    for pattern, replacement in names.items():
        name = re.sub(pattern, replacement, name)
    return name


def count(names, pattern: str) -> int:
    """How many blocks or layers there are, from 0 on, where the pattern's group is a number."""
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1)


def unet_tensors(tensors: Tensors) -> Tensors:
    """The UNet's blocks are numbered through, a change of resolution taking a number on the way down."""
    changes = [int(found[1]) for name in tensors if (found := re.match(r"input_blocks\.(\d+)\.0\.op\.", name))]
    stride = min(changes, default=count(tensors, r"input_blocks\.(\d+)\."))  # of blocks, from one level to the next

    def place(found):
        """input_blocks.4.1. -> down_blocks.1.attentions.0."""
        down = found[1] == "in"
        level, index = divmod(int(found[2]) - down, stride)
        kind = {"0.op.": "downsamplers.0.conv.", "0.": f"resnets.{index}.", "1.": f"attentions.{index}."}
        return f"{'down' if down else 'up'}_blocks.{level}." + kind.get(found[3], "upsamplers.0.conv.")

    names = UNET_NAMES | {r"^(in|out)put_blocks\.(\d+)\.(0\.op\.|\d\.conv\.|[01]\.)": place}
    return {renamed(name, names): value for name, value in tensors.items()}


def vae_tensors(tensors: Tensors) -> Tensors:
    """The decoder's blocks are numbered by resolution, coarse to fine downwards; its attention are convolutions."""
    tensors = {renamed(name, VAE_NAMES): value for name, value in tensors.items() if not name.startswith("loss.")}
    last = count(tensors, r"decoder\.up_blocks\.(\d+)\.") - 1
    tensors = {re.sub(r"up_blocks\.(\d+)", lambda found: f"up_blocks.{last - int(found[1])}", name): value
               for name, value in tensors.items()}
    return {name: value.reshape(value.shape[:2]) if ".to_" in name and value.ndim == 4 else value
            for name, value in tensors.items()}


def clip_tensors(tensors: Tensors) -> Tensors:
    tensors = {name.removeprefix("text_model."): value for name, value in tensors.items()}
    return {name: value for name, value in tensors.items() if name.split(".")[0] not in PROJECTION
            and name != "embeddings.position_ids"}


def openclip_tensors(tensors: Tensors) -> Tensors:
    """q, k and v, one below the other in one matrix, are taken apart."""
    found = {}
    for name, value in tensors.items():
        name = renamed(name, OPENCLIP_NAMES)
        if count([name], r"encoder\.layers\.(\d+)") > LAYERS_READ or name in PROJECTION:
            continue
        if "in_proj_" in name:
            for letter, third in zip("qkv", np.split(value, 3), strict=True):
                found[name.replace("in_proj_", f"{letter}_proj.")] = third
        else:
            found[name] = value
    return found


def unet_config(tensors: Tensors, side: int) -> UNetConfig:
    levels = range(count(tensors, r"down_blocks\.(\d+)\."))
    widths = tuple(tensors[f"down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels)
    attends = {way: tuple(f"{way}_blocks.{level}.attentions.0.proj_in.weight" in tensors for level in levels)
               for way in ("down", "up")}
    linear = tensors["mid_block.attentions.0.proj_in.weight"].ndim == 2
    inputs = tensors["conv_in.weight"].shape[1]
    if inputs != tensors["conv_out.weight"].shape[0]:
        raise ValueError(f"its UNet reads {inputs} channels, more than latents have")
    return UNetConfig(
        in_channels=inputs, out_channels=inputs, sample_size=side, block_out_channels=widths,
        down_block_types=tuple("CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends["down"]),
        up_block_types=tuple("CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in attends["up"]),
        layers_per_block=count(tensors, r"down_blocks\.0\.resnets\.(\d+)\."), use_linear_projection=linear,
        cross_attention_dim=tensors["mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"].shape[1],
        attention_head_dim=tuple(width // HEAD for width in widths) if linear else 8)


def vae_config(tensors: Tensors, side: int) -> AutoencoderConfig:
    levels = range(count(tensors, r"encoder\.down_blocks\.(\d+)\."))
    widths = tuple(tensors[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels)
    config = AutoencoderConfig(block_out_channels=widths, latent_channels=tensors["post_quant_conv.weight"].shape[0],
                               layers_per_block=count(tensors, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."))
    return AutoencoderConfig(**vars(config) | {"sample_size": side * config.downsampling})


def text_config(tensors: Tensors, second: bool) -> TextConfig:
    vocabulary, width = tensors["embeddings.token_embedding.weight"].shape
    return TextConfig(
        vocab_size=vocabulary, hidden_size=width, projection_dim=width, num_attention_heads=width // HEAD,
        intermediate_size=tensors["encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=count(tensors, r"encoder\.layers\.(\d+)\."), hidden_act="gelu" if second else "quick_gelu",
        max_position_embeddings=tensors["embeddings.position_embedding.weight"].shape[0], bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, pad_token_id=0 if second else vocabulary - 1)

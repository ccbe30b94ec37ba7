"""The original layout of Stable Diffusion 1 and 2: one file with all models, in the names of the LDM code base.

    model.diffusion_model.input_blocks.1.1.proj_in.weight    first_stage_model.decoder.up.3.block.0.conv1.weight
    cond_stage_model.transformer.text_model.…  (version 1)   cond_stage_model.model.transformer.resblocks.…  (2)

Tensors are renamed to diffusers' names, and the configuration follows from their shapes. What shapes do not tell is
taken from Stable Diffusion: 32 groups, 8 heads or heads of 64 channels, the scaling factor. It contains no tokenizer,
and says only by markers, if at all, whether the UNet predicts noise or v, as the 768-pixel models of version 2 do.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np

from ..diffusion.scheduler import Scheduler
from ..diffusion.scheduler_config import to_config
from ..diffusion.schedules import Schedule
from ..errors import UserError
from ..models.autoencoder import AutoencoderKL
from ..models.configs import AutoencoderConfig, TextConfig, UNetConfig
from ..models.parts import check_parts
from ..models.text_encoder import CLIPTextModel
from ..models.unet import UNet2DConditionModel
from ..models.unet_inputs import check_inputs, is_for_inpainting
from ..tokenizer import Tokenizer
from .folders import fill, float_dtype
from .pipeline_folder import Parts
from .tensors import map_tensors
from .weight_files import refuse_pickle

Tensors = dict[str, np.ndarray]
UNET, VAE, TEXT_1, TEXT_2 = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.",
                             "cond_stage_model.model.")
HEAD_WIDTH = 64    # channels of an attention head, where the number of heads is not fixed
LAYERS_READ = 23   # version 2 reads the output of the second to last of OpenCLIP's 24 layers
UNUSED = {"text_projection", "logit_scale", "attn_mask"}  # in text-to-image

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
    """The parts of a model in one `.safetensors` file; on the CPU, weights are memory-mapped as in `load_model`.

    `tokenizer` is a folder with vocab.json and merges.txt, by default the file's own folder or tokenizer/ in it;
    `prediction_type` is 'epsilon' or 'v_prediction', by default what the file says of itself. Raises UserError if the
    file is not Stable Diffusion 1 or 2, or if there is no tokenizer.
    """
    path, dtype = Path(path), float_dtype(dtype)
    refuse_pickle(path)
    Scheduler("pndm", prediction_type=prediction_type or "epsilon")
    tensors, metadata = map_tensors(path)
    version = 2 if any(name.startswith(TEXT_2) for name in tensors) else 1
    try:
        unet, vae = unet_tensors(part(tensors, UNET)), vae_tensors(part(tensors, VAE))
        text = openclip_tensors(part(tensors, TEXT_2)) if version == 2 else clip_tensors(part(tensors, TEXT_1))
        prediction = prediction_type or marked_prediction(tensors, metadata)
        side = 96 if version == 2 and prediction == "v_prediction" else 64
        config = unet_config(unet, side)
        models = [(UNet2DConditionModel(None, config), unet),
                  (AutoencoderKL(None, vae_config(vae, side)), vae),
                  (CLIPTextModel(None, text_config(text, version)), text)]
    except (ArithmeticError, LookupError, MemoryError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path} is not Stable Diffusion 1 or 2 in its original layout ({reason}): "
                        "give such a file, or the folder of a model") from error
    fault = f"{path} does not fit Stable Diffusion {version}"
    unet, vae, text = (fill(model, values, fault, dtype, device) for model, values in models)
    tokenizer = open_tokenizer(path, tokenizer, text.config, "!" if version == 2 else None)
    check_parts(unet.config, vae.config, text.config, len(tokenizer), tokenizer.max_length)
    if prediction is None and version == 2 and not is_for_inpainting(config):
        warnings.warn(f"{path} does not say what its UNet predicts: epsilon is taken, as for the 512-pixel models of "
                      "Stable Diffusion 2; if images are bad, use --prediction v_prediction", stacklevel=3)
    return Parts(unet, vae, text, tokenizer, to_config(marked_scheduler(tensors, prediction or "epsilon")))


def marked_prediction(tensors: Tensors, metadata: dict[str, str]) -> str | None:
    """What a file says of its UNet's prediction: by a tensor called v_pred, or in the metadata of modelspec."""
    said = metadata.get("modelspec.prediction_type", "").lower()
    if "v_pred" in tensors or said in ("v", "v_prediction") or "768-v" in metadata.get("modelspec.architecture", ""):
        return "v_prediction"
    if said == "epsilon":
        return said
    return "v_prediction" if metadata.get("modelspec.resolution", "") == "768x768" else None


def marked_scheduler(tensors: Tensors, prediction: str) -> Scheduler:
    """Stable Diffusion's, or with a tensor called ztsnr one that starts from pure noise."""
    if "ztsnr" in tensors and prediction == "v_prediction":
        return Scheduler("ddim", Schedule(rescale_betas_zero_snr=True), prediction, "trailing")
    return Scheduler("pndm", prediction_type=prediction)


def open_tokenizer(path: Path, folder: str | Path | None, config: TextConfig, pad: str | None) -> Tokenizer:
    """The tokenizer in a folder, with the text encoder's context length and the given padding token."""
    places = [path.parent, path.parent / "tokenizer"] if folder is None else [Path(folder)]
    found = [place for place in places if (place / "merges.txt").is_file() or (place / "tokenizer.json").is_file()]
    if not found:
        raise UserError(f"{path.name} contains no tokenizer and there is none in {' or '.join(map(str, places))}: put "
                        "CLIP's vocab.json and merges.txt next to the file, or give their folder as the tokenizer")
    tokenizer = Tokenizer(Tokenizer.from_pretrained(found[0]).merges, config.max_position_embeddings, pad)
    if len(tokenizer) != config.vocab_size:
        raise UserError(f"the tokenizer in {found[0]} has {len(tokenizer)} tokens, but {path.name} needs "
                        f"{config.vocab_size}: use the one that the model was trained with")
    return tokenizer


def part(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors of one model, without its prefix. Raises KeyError if there are none."""
    found = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    if not found:
        raise KeyError(f"{prefix}…")
    return found


def renamed(name: str, names: dict[str, str]) -> str:
    for pattern, replacement in names.items():
        name = re.sub(pattern, replacement, name)
    return name


def count(names, pattern: str) -> int:
    """The number of blocks or layers: one more than the largest index that the pattern's group matches."""
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1)


def unet_tensors(tensors: Tensors) -> Tensors:
    """The UNet's tensors by their new names; the file numbers its blocks consecutively, and downsamplers as blocks."""
    downsamplers = [int(found[1]) for name in tensors if (found := re.match(r"input_blocks\.(\d+)\.0\.op\.", name))]
    stride = min(downsamplers, default=count(tensors, r"input_blocks\.(\d+)\."))  # blocks per level

    def place(found):
        """input_blocks.4.1. -> down_blocks.1.attentions.0."""
        down = found[1] == "in"
        level, index = divmod(int(found[2]) - down, stride)
        kind = {"0.op.": "downsamplers.0.conv.", "0.": f"resnets.{index}.", "1.": f"attentions.{index}."}
        return f"{'down' if down else 'up'}_blocks.{level}." + kind.get(found[3], "upsamplers.0.conv.")

    names = UNET_NAMES | {r"^(in|out)put_blocks\.(\d+)\.(0\.op\.|\d\.conv\.|[01]\.)": place}
    return {renamed(name, names): value for name, value in tensors.items()}


def vae_tensors(tensors: Tensors) -> Tensors:
    """The autoencoder's tensors by their new names; the file numbers decoder blocks in reverse."""
    tensors = {renamed(name, VAE_NAMES): value for name, value in tensors.items() if not name.startswith("loss.")}
    last = count(tensors, r"decoder\.up_blocks\.(\d+)\.") - 1
    tensors = {re.sub(r"up_blocks\.(\d+)", lambda found: f"up_blocks.{last - int(found[1])}", name): value
               for name, value in tensors.items()}
    # attention's 1 x 1 convolutions become linear layers
    return {name: value.reshape(value.shape[:2]) if ".to_" in name and value.ndim == 4 else value
            for name, value in tensors.items()}


def clip_tensors(tensors: Tensors) -> Tensors:
    """The text encoder's tensors of version 1, by their new names."""
    tensors = {name.removeprefix("text_model."): value for name, value in tensors.items()}
    return {name: value for name, value in tensors.items() if name.split(".")[0] not in UNUSED
            and name != "embeddings.position_ids"}


def openclip_tensors(tensors: Tensors) -> Tensors:
    """The text encoder's tensors of version 2, by their new names; stacked q, k and v matrices are split."""
    found = {}
    for name, value in tensors.items():
        name = renamed(name, OPENCLIP_NAMES)
        if count([name], r"encoder\.layers\.(\d+)") > LAYERS_READ or name in UNUSED:
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
    config = UNetConfig(
        in_channels=tensors["conv_in.weight"].shape[1], out_channels=tensors["conv_out.weight"].shape[0],
        sample_size=side, block_out_channels=widths,
        down_block_types=tuple("CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends["down"]),
        up_block_types=tuple("CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in attends["up"]),
        layers_per_block=count(tensors, r"down_blocks\.0\.resnets\.(\d+)\."), use_linear_projection=linear,
        cross_attention_dim=tensors["mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"].shape[1],
        attention_head_dim=tuple(width // HEAD_WIDTH for width in widths) if linear else 8)
    check_inputs(config)
    return config


def vae_config(tensors: Tensors, side: int) -> AutoencoderConfig:
    levels = range(count(tensors, r"encoder\.down_blocks\.(\d+)\."))
    widths = tuple(tensors[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"].shape[0] for level in levels)
    config = AutoencoderConfig(block_out_channels=widths, latent_channels=tensors["post_quant_conv.weight"].shape[0],
                               layers_per_block=count(tensors, r"encoder\.down_blocks\.0\.resnets\.(\d+)\."))
    return AutoencoderConfig(**vars(config) | {"sample_size": side * config.downsampling})


def text_config(tensors: Tensors, version: int) -> TextConfig:
    vocabulary, width = tensors["embeddings.token_embedding.weight"].shape
    return TextConfig(
        vocab_size=vocabulary, hidden_size=width, projection_dim=width, num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=tensors["encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=count(tensors, r"encoder\.layers\.(\d+)\."),
        hidden_act="gelu" if version == 2 else "quick_gelu",
        max_position_embeddings=tensors["embeddings.position_embedding.weight"].shape[0], bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, pad_token_id=0 if version == 2 else vocabulary - 1)

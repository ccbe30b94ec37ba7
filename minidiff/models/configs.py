"""The configurations of the models, with fields named as in published `config.json` files.

Defaults are those of Stable Diffusion 1.5; of the image encoder and CLIP's common space, those of CLIP ViT-B/32.

Each field's type says which values it may have (fields.py); `__post_init__` says what fields must agree on.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from ..errors import UserError
from ..fields import (
    Activation,
    Between,
    Checked,
    Depth,
    Epsilon,
    Fraction,
    Id,
    Layers,
    Length,
    Side,
    Tokens,
    Width,
    Widths,
    fits,
    read,
    shown,
    types_of,
)

Down = Annotated[tuple[Literal["CrossAttnDownBlock2D", "DownBlock2D"], ...], Between(1, 8)]
Up = Annotated[tuple[Literal["CrossAttnUpBlock2D", "UpBlock2D"], ...], Between(1, 8)]
FirstSides = Annotated[int, Between(1, 63)]
Scale = Annotated[float, Between(1e-3, 1e3)]


class Config(Checked):
    """What all configurations share: conversion from and to the dictionary of a `config.json`."""

    fixed: ClassVar[dict] = {}  # options of the published classes, with the only value supported here

    @classmethod
    def from_dict(cls, values: dict, source: str = "config.json"):
        """Unknown fields are ignored, lists become tuples, and one number stands for a list of equal ones.

        Raises UserError, which names the `source`, if the dictionary describes a variant of the model that is not
        supported, or none that is possible.
        """
        kinds = types_of(cls)
        values = {name: one_number(value, kinds.get(name, int)) for name, value in cls.published(values).items()}
        for name, value in cls.fixed.items():
            if values.get(name, value) != value:
                raise UserError(f"{source}: {name} = {shown(values[name])} is not supported: use a model with "
                                f"{name} = {value!r}")
        for name, kind in kinds.items():
            if hasattr(kind, "from_dict") and isinstance(values.get(name), dict):
                values[name] = kind.from_dict(values[name], f"{source}: {name}")
        return read(cls(), values, source)

    @classmethod
    def published(cls, values: dict) -> dict:
        """The same values as they would be written today, without old and second names."""
        same = {name: value for name, value in values.items() if (name, value) != ("sample_size", None)}
        return same | ({"act_fn": "silu"} if same.get("act_fn") == "swish" else {})

    def to_dict(self) -> dict:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def one_number(value: Any, kind: Any) -> Any:
    """The number, true or false of which a list holds nothing else, unless the list is of the kind that is wanted."""
    same = isinstance(value, list) and {*map(type, value)} in ({int}, {bool}) and len({*value}) == 1
    return value[0] if same and not fits(tuple(value), kind) else value


@dataclass(frozen=True)
class AutoencoderConfig(Config):
    """`diffusers.AutoencoderKL`."""

    fixed: ClassVar[dict] = {"_class_name": "AutoencoderKL", "act_fn": "silu", "use_quant_conv": True,
                             "use_post_quant_conv": True}

    in_channels: Literal[3] = 3
    out_channels: Literal[3] = 3
    block_out_channels: Widths = (128, 256, 512, 512)
    layers_per_block: Layers = 2
    latent_channels: Width = 4
    norm_num_groups: Width = 32
    sample_size: Side = 512
    scaling_factor: Scale = 0.18215
    mid_block_add_attention: bool = True

    def __post_init__(self):
        super().__post_init__()
        _check_groups(self.block_out_channels, self.norm_num_groups)

    @property
    def downsampling(self) -> int:
        """How many times smaller the latents of an image are along each side."""
        return 2 ** (len(self.block_out_channels) - 1)

    def to_dict(self) -> dict:
        levels = len(self.block_out_channels)
        return super().to_dict() | self.fixed | {"down_block_types": ["DownEncoderBlock2D"] * levels,
                                                 "up_block_types": ["UpDecoderBlock2D"] * levels}


@dataclass(frozen=True)
class UNetConfig(Config):
    """`diffusers.UNet2DConditionModel`. `attention_head_dim` is the number of heads, in spite of its name."""

    fixed: ClassVar[dict] = {
        "_class_name": "UNet2DConditionModel", "act_fn": "silu", "center_input_sample": False, "downsample_padding": 1,
        "mid_block_scale_factor": 1, "num_attention_heads": None, "addition_embed_type": None, "class_embed_type": None,
        "time_embedding_type": "positional", "resnet_time_scale_shift": "default", "transformer_layers_per_block": 1,
        "only_cross_attention": False, "mid_block_type": "UNetMidBlock2DCrossAttn", "time_cond_proj_dim": None,
        "time_embedding_act_fn": None, "timestep_post_act": None, "time_embedding_dim": None, "encoder_hid_dim": None,
        "encoder_hid_dim_type": None, "num_class_embeds": None, "dual_cross_attention": False, "conv_in_kernel": 3,
        "conv_out_kernel": 3, "attention_type": "default", "resnet_skip_time_act": False,
        "resnet_out_scale_factor": 1.0, "mid_block_only_cross_attention": None, "cross_attention_norm": None}

    in_channels: Width = 4
    out_channels: Width = 4
    sample_size: Annotated[int, Between(1, 256)] = 64
    block_out_channels: Widths = (320, 640, 1280, 1280)
    down_block_types: Down = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    up_block_types: Up = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    layers_per_block: Layers = 2
    cross_attention_dim: Width = 768
    attention_head_dim: Width | Widths = 8
    use_linear_projection: bool = False
    norm_num_groups: Width = 32
    norm_eps: Epsilon = 1e-5
    flip_sin_to_cos: bool = True
    freq_shift: Fraction = 0

    def __post_init__(self):
        super().__post_init__()
        _check_groups(self.block_out_channels, self.norm_num_groups)
        first, levels = self.block_out_channels[0], len(self.block_out_channels)
        if first % 2 or first <= 2 * self.freq_shift:
            raise UserError(f"the first of block_out_channels is {first}: sinusoids of the time take an even number of "
                            "channels, more than twice freq_shift")
        if len(self.down_block_types) != levels or len(self.up_block_types) != levels:
            raise UserError(f"a UNet with {levels} levels needs {levels} down_block_types and {levels} up_block_types")
        if len(self.heads) != levels:
            raise UserError(f"attention_head_dim needs {levels} numbers of heads, one for each level, or one for all")
        for channels, heads in zip(self.block_out_channels, self.heads, strict=True):
            if channels % heads:
                raise UserError(f"{heads} attention heads don't divide {channels} channels: change one of them")

    @property
    def heads(self) -> tuple[int, ...]:
        """Attention heads of each level."""
        heads = self.attention_head_dim
        return heads if isinstance(heads, tuple) else (heads,) * len(self.block_out_channels)

    @classmethod
    def published(cls, values: dict) -> dict:
        """UNets of the first versions of diffusers claim a smaller size than the one that they were trained for."""
        size = one_number(values.get("sample_size"), int)
        older = re.match(r"0\.[0-8]\.", str(values.get("_diffusers_version"))[:9])
        return super().published(values | {"sample_size": 64} if older and fits(size, FirstSides) else values)

    def to_dict(self) -> dict:
        return super().to_dict() | self.fixed


@dataclass(frozen=True)
class TextConfig(Config):
    """`transformers.CLIPTextModel`."""

    fixed: ClassVar[dict] = {"use_attention_mask": False}

    vocab_size: Tokens = 49408
    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_hidden_layers: Depth = 12
    num_attention_heads: Width = 12
    max_position_embeddings: Length = 77
    hidden_act: Activation = "quick_gelu"
    layer_norm_eps: Epsilon = 1e-5
    projection_dim: Width = 768
    bos_token_id: Id = 49406
    eos_token_id: Id = 49407
    pad_token_id: Id = 49407

    def __post_init__(self):
        super().__post_init__()
        _check_transformer(self)

    def to_dict(self) -> dict:
        return super().to_dict() | {"model_type": "clip_text_model", "architectures": ["CLIPTextModel"]}


@dataclass(frozen=True)
class VisionConfig(Config):
    """`transformers.CLIPVisionModel`, a ViT."""

    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_hidden_layers: Depth = 12
    num_attention_heads: Width = 12
    num_channels: Literal[3] = 3
    image_size: Side = 224
    patch_size: Side = 32
    hidden_act: Activation = "quick_gelu"
    layer_norm_eps: Epsilon = 1e-5
    projection_dim: Width = 512

    def __post_init__(self):
        super().__post_init__()
        _check_transformer(self)
        if self.image_size % self.patch_size:
            raise UserError(f"patches of {self.patch_size} pixels don't divide images of {self.image_size}: "
                            "change one of them")

    def to_dict(self) -> dict:
        return super().to_dict() | {"model_type": "clip_vision_model"}


@dataclass(frozen=True)
class CLIPConfig(Config):
    """`transformers.CLIPModel`: a text encoder, an image encoder, and the dimension of their common space."""

    text_config: TextConfig = field(default_factory=TextConfig)
    vision_config: VisionConfig = field(default_factory=VisionConfig)
    projection_dim: Width = 512
    logit_scale_init_value: Annotated[float, Between(-10, 10)] = 2.6592  # ln(1 / 0.07)

    def to_dict(self) -> dict:
        return super().to_dict() | {"text_config": self.text_config.to_dict(),
                                    "vision_config": self.vision_config.to_dict(),
                                    "model_type": "clip", "architectures": ["CLIPModel"]}


def _check_groups(channels, groups):
    for width in channels:
        if width % groups:
            raise UserError(f"norm_num_groups = {groups} doesn't divide {width} channels: change one of them")


def _check_transformer(config):
    if config.hidden_size % config.num_attention_heads:
        raise UserError(f"{config.num_attention_heads} attention heads don't divide {config.hidden_size} channels: "
                        "change one of them")

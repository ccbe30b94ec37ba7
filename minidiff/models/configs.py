"""The configurations of the models, with fields named as in published `config.json` files; defaults are SD 1.5's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar

from ..errors import UserError


class Config:
    """What all configurations share: conversion from and to the dictionary of a `config.json`."""

    fixed: ClassVar[dict] = {}  # options of the published classes, with the only value supported here

    @classmethod
    def from_dict(cls, values: dict):
        """Unknown fields are ignored, lists become tuples.

        Raises UserError if the dictionary describes a variant of the model that is not supported.
        """
        for name, value in cls.fixed.items():
            if values.get(name, value) != value:
                raise UserError(f"{name} = {values[name]!r} is not supported: use a model with {name} = {value!r}")
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})

    def to_dict(self) -> dict:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class AutoencoderConfig(Config):
    """`diffusers.AutoencoderKL`."""

    fixed: ClassVar[dict] = {"_class_name": "AutoencoderKL", "act_fn": "silu", "use_quant_conv": True,
                             "use_post_quant_conv": True}

    in_channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (128, 256, 512, 512)
    layers_per_block: int = 2
    latent_channels: int = 4
    norm_num_groups: int = 32
    sample_size: int = 512
    scaling_factor: float = 0.18215
    mid_block_add_attention: bool = True

    def __post_init__(self):
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
        "only_cross_attention": False}

    in_channels: int = 4
    out_channels: int = 4
    sample_size: int = 64
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    down_block_types: tuple[str, ...] = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    up_block_types: tuple[str, ...] = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    layers_per_block: int = 2
    cross_attention_dim: int = 768
    attention_head_dim: int | tuple[int, ...] = 8
    use_linear_projection: bool = False
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    flip_sin_to_cos: bool = True
    freq_shift: float = 0

    def __post_init__(self):
        _check_groups(self.block_out_channels, self.norm_num_groups)
        levels = len(self.block_out_channels)
        if len(self.down_block_types) != levels or len(self.up_block_types) != levels:
            raise UserError(f"a UNet with {levels} levels needs {levels} down_block_types and {levels} up_block_types")
        known = ["CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]
        if unknown := {*self.down_block_types, *self.up_block_types} - {*known}:
            raise UserError(f"unknown UNet blocks {', '.join(sorted(unknown))}: use {', '.join(known)}")
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

    def to_dict(self) -> dict:
        return super().to_dict() | self.fixed


@dataclass(frozen=True)
class TextConfig(Config):
    """`transformers.CLIPTextModel`."""

    vocab_size: int = 49408
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    max_position_embeddings: int = 77
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    projection_dim: int = 768
    bos_token_id: int = 49406
    eos_token_id: int = 49407
    pad_token_id: int = 49407

    def __post_init__(self):
        _check_transformer(self)

    def to_dict(self) -> dict:
        return super().to_dict() | {"model_type": "clip_text_model", "architectures": ["CLIPTextModel"]}


@dataclass(frozen=True)
class VisionConfig(Config):
    """`transformers.CLIPVisionModel`, a ViT."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_channels: int = 3
    image_size: int = 224
    patch_size: int = 32
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    projection_dim: int = 512

    def __post_init__(self):
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
    projection_dim: int = 512
    logit_scale_init_value: float = 2.6592  # ln(1 / 0.07)

    @classmethod
    def from_dict(cls, values: dict):
        encoders = {"text_config": TextConfig.from_dict(values["text_config"]),
                  "vision_config": VisionConfig.from_dict(values["vision_config"])}
        return super().from_dict(values | encoders)

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
    if config.hidden_act not in ("gelu", "quick_gelu"):
        raise UserError(f"unknown hidden_act {config.hidden_act!r}: use gelu or quick_gelu")

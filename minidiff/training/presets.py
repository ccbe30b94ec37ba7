"""Every setting of a training run, and the named sizes. Each setting is a field that the command line can override."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Annotated

from ..errors import UserError
from ..fields import (
    Activation,
    Between,
    Checked,
    Count,
    Decay,
    Depth,
    Factor,
    Fraction,
    Layers,
    Length,
    Name,
    Precision,
    Side,
    Steps,
    Text,
    Tokens,
    Width,
    Widths,
    parsed,
    read,
    shown,
    types_of,
)

BatchSize = Annotated[int, Between(1, 65536)]
Rate = Annotated[float, Between(0, 100)]
Positive = Annotated[float, Between(1e-6, 1e9)]
Share = Annotated[float, Between(0.001, 1)]
Seed = Annotated[int, Between(0, 2**63 - 1)]
Shift = Annotated[float, Between(0.01, 100)]

RENAMED = {"share": "time_fraction", "middle_share": "middle_fraction", "layout_share": "layout_fraction"}  # old: new


@dataclass(frozen=True)
class StageSettings(Checked):
    """How long and how fast one stage learns."""

    steps: Count
    batch_size: BatchSize
    learning_rate: Rate
    time_fraction: Share        # of the time that `--minutes` gives to all stages
    optimizer: Name = "muon"    # a name in training/optimizers
    muon_rate: Factor = 3.0     # Muon's step for a matrix, relative to AdamW's step for the other parameters
    warmup: Steps = 50
    weight_decay: Factor = 0.01
    beta1: Decay = 0.9
    beta2: Decay = 0.99
    clip: Positive = 1.0
    accumulation: BatchSize = 1
    average_decay: Decay = 0.999


@dataclass(frozen=True)
class DataSettings(Checked):
    source: Text = "scenes"           # the built-in images, or the absolute path of captioned ones
    caption_column: Text = "text"
    caption_template: Text = "a {}"   # of images without a caption, for the name of their folder
    crop: Name = "center"             # center or random
    flip: bool = False
    buckets: bool = False
    shuffle_tags: bool = False
    held_out_fraction: Annotated[float, Between(0, 0.5)] = 0.05
    free_wording: Fraction = 0.5      # of captions of scenes: in other words; of emoji: that are scenes


@dataclass(frozen=True)
class AutoencoderSettings(Checked):
    block_out_channels: Widths = (8, 16, 32)
    layers_per_block: Layers = 1
    latent_channels: Width = 12
    norm_num_groups: Width = 4
    mid_block_add_attention: bool = False
    mse_weight: Factor = 10.0
    l1_weight: Factor = 1.0
    kl_weight: Factor = 1e-4


@dataclass(frozen=True)
class TextSettings(Checked):
    vocab_size: Tokens = 1024
    max_length: Length = 20
    hidden_size: Width = 96
    num_hidden_layers: Depth = 3
    num_attention_heads: Width = 4
    hidden_act: Activation = "quick_gelu"
    class_labels: bool = False  # each caption is one token, and no contrastive stage teaches the text encoder


@dataclass(frozen=True)
class ImageSettings(Checked):
    patch_size: Side = 8
    hidden_size: Width = 96
    num_hidden_layers: Depth = 3
    num_attention_heads: Width = 4
    projection_dim: Width = 64


@dataclass(frozen=True)
class UNetSettings(Checked):
    block_out_channels: Widths = (24, 48, 96)
    attention_levels: Annotated[tuple[bool, ...], Between(1, 8)] = (False, True, True)
    layers_per_block: Layers = 1
    attention_head_dim: Width = 4
    norm_num_groups: Width = 8


@dataclass(frozen=True)
class DiffusionSettings(Checked):
    prediction: Name = "flow_prediction"
    time_shift: Shift = 4.0          # of training times towards noise, and of flow samplers' times; 1 is no shift
    middle_fraction: Fraction = 0.88  # of a batch: near σ/α = time_shift, for shapes; the rest uniform before the shift
    layout_fraction: Fraction = 0.03  # of a batch: pure noise, where only the caption says which object goes where
    weighting: Name = "sqrt_snr"     # of the squared errors: uniform, min_snr or sqrt_snr
    latents: Annotated[int, Between(1, 10_000_000)] = 24_000
    caption_dropout: Fraction = 0.1
    alignment: Factor = 0.0          # of the UNet with the image encoder: the weight of that loss
    alignment_steps: Steps = 1000    # and how long it lasts
    clip_skip: Depth = 0             # last layers of the contrastive model's text encoder that the UNet's is without
    train_text_encoder: bool = False
    num_inference_steps: Annotated[int, Between(1, 1000)] = 20
    guidance_scale: Annotated[float, Between(-1000, 1000)] = 3.0


@dataclass(frozen=True)
class LoRASettings(Checked):
    """Factors that learn instead of a whole UNet (nn/lora.py)."""

    rank: Annotated[int, Between(0, 16384)] = 0  # 0: the whole UNet learns
    alpha: Factor = 0.0                          # the update is scaled by alpha / rank; 0 stands for alpha = rank


@dataclass(frozen=True)
class Settings(Checked):
    """A whole run: the sizes of the models, and how each stage is trained."""

    size: Side = 64
    seed: Seed = 0
    winograd: bool = True  # Winograd's algorithm for convolutions: faster, with rounding errors of 1e-5
    precision: Precision = "float32"  # to which a GPU rounds the factors of products
    data: DataSettings = field(default_factory=DataSettings)
    autoencoder: AutoencoderSettings = field(default_factory=AutoencoderSettings)
    text: TextSettings = field(default_factory=TextSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    unet: UNetSettings = field(default_factory=UNetSettings)
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    lora: LoRASettings = field(default_factory=LoRASettings)
    train_autoencoder: StageSettings = field(default_factory=lambda: StageSettings(3300, 8, 1.5e-3, time_fraction=0.15))
    train_contrastive: StageSettings = field(
        default_factory=lambda: StageSettings(2300, 64, 1e-3, time_fraction=0.15, weight_decay=0.05))
    train_diffusion: StageSettings = field(default_factory=lambda: StageSettings(4800, 64, 1e-3, time_fraction=0.68))
    # AdamW, as is usual for factors; in one trial of 100 steps its loss ended at 0.037, Muon's at 0.053.
    train_lora: StageSettings = field(
        default_factory=lambda: StageSettings(1000, 32, 1e-3, time_fraction=0.98, optimizer="adamw"))


SMALL = Settings(diffusion=DiffusionSettings(alignment=0.5, clip_skip=1))

GPU = replace(  # the models of `small`; fewer steps, each large enough to keep a GPU busy
    SMALL,
    diffusion=replace(SMALL.diffusion, alignment_steps=500),
    train_autoencoder=StageSettings(1500, 32, 2e-3, time_fraction=0.15),
    train_contrastive=StageSettings(1000, 256, 1e-3, time_fraction=0.15, weight_decay=0.05),
    train_diffusion=StageSettings(1500, 256, 1.5e-3, time_fraction=0.68),
)

TINY = Settings(
    text=TextSettings(hidden_size=64, num_hidden_layers=2),
    image=ImageSettings(hidden_size=64, num_hidden_layers=2),
    unet=UNetSettings(block_out_channels=(16, 32, 64)),
    diffusion=DiffusionSettings(latents=4_000),
)

EMOJI = Settings(
    data=DataSettings(free_wording=0.0),  # names alone; scenes of them take hours to learn
    autoencoder=AutoencoderSettings(block_out_channels=(16, 32, 64)),
    text=TextSettings(vocab_size=4000, max_length=24, hidden_size=128),
    image=ImageSettings(hidden_size=128),
    unet=UNetSettings(block_out_channels=(32, 64, 128)),
    diffusion=DiffusionSettings(time_shift=2.0, middle_fraction=0.5),
    train_autoencoder=StageSettings(8900, 8, 1.5e-3, time_fraction=0.22),
    train_contrastive=StageSettings(740, 256, 1e-3, time_fraction=0.13, weight_decay=0.05),
    train_diffusion=StageSettings(6300, 64, 1e-3, time_fraction=0.63),
)

PRESETS = {"tiny": TINY, "small": SMALL, "gpu": GPU, "emoji": EMOJI}


def preset(name: str) -> Settings:
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]


def setting_names(settings=None, prefix: str = "") -> dict[str, object]:
    """The value of every setting by its dotted name, such as `train_diffusion.batch_size`."""
    settings = settings or Settings()
    names = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        names |= setting_names(value, f"{prefix}{f.name}.") if is_dataclass(value) else {prefix + f.name: value}
    return names


def override(settings: Settings, name: str, text: str) -> Settings:
    """The settings with one of them, given by its dotted name, changed to `text` converted to the setting's type."""
    return _changed(settings, name, name, text)


def _changed(settings, rest, name, text):
    head, _, rest = rest.partition(".")
    if not is_dataclass(settings) or head not in types_of(type(settings)):
        raise UserError(f"unknown setting {shown(name)}: see minidiff train --dry-run for all of them")
    value = (_changed(getattr(settings, head), rest, name, text) if rest else
             parsed(text, types_of(type(settings))[head], f"setting {name}"))
    return replace(settings, **{head: value})


def from_dict(settings: Settings, values: dict, source: str = "settings.json") -> Settings:
    """The settings with values from a dictionary, as `dataclasses.asdict` and JSON write it; ignores unknown names.

    Raises UserError, which names the `source`, for a value that no such setting has.
    """
    return read(settings, _renamed(values), source)


def _renamed(values):
    """The settings that an older version wrote, under today's names. `muon` was the rate of Muon, or 0 for AdamW."""
    values = {RENAMED.get(name, name): _renamed(value) if isinstance(value, dict) else value
              for name, value in values.items()}
    if "muon" not in values:
        return values
    return values | ({"optimizer": "muon", "muon_rate": values["muon"]} if values["muon"] else {"optimizer": "adamw"})

"""Every setting of a training run, and the named sizes. Each setting is a field that the command line can override."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace

from ..errors import UserError

RENAMED = {"share": "time_fraction", "middle_share": "middle_fraction", "layout_share": "layout_fraction"}  # old: new


@dataclass(frozen=True)
class StageSettings:
    """How long and how fast one stage learns."""

    steps: int
    batch_size: int
    learning_rate: float
    time_fraction: float     # of the time that `--minutes` gives to all stages
    optimizer: str = "muon"  # a name in training/optimizers
    muon_rate: float = 3.0   # Muon's step for a matrix, relative to AdamW's step for the other parameters
    warmup: int = 50
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    accumulation: int = 1
    average_decay: float = 0.999


@dataclass(frozen=True)
class DataSettings:
    source: str = "scenes"          # the built-in images, or the absolute path of captioned ones
    caption_column: str = "text"
    caption_template: str = "a {}"  # of images without a caption, for the name of their folder
    crop: str = "center"            # center or random
    flip: bool = False
    buckets: bool = False
    shuffle_tags: bool = False
    held_out_fraction: float = 0.05
    free_wording: float = 0.5       # of emoji: the fraction of images that are scenes


@dataclass(frozen=True)
class AutoencoderSettings:
    block_out_channels: tuple[int, ...] = (16, 16, 32)
    layers_per_block: int = 1
    latent_channels: int = 12
    norm_num_groups: int = 4
    mid_block_add_attention: bool = False
    mse_weight: float = 10.0
    l1_weight: float = 1.0
    kl_weight: float = 1e-4


@dataclass(frozen=True)
class TextSettings:
    vocab_size: int = 1024
    max_length: int = 20
    hidden_size: int = 96
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    hidden_act: str = "quick_gelu"
    class_labels: bool = False  # each caption is one token, and no contrastive stage teaches the text encoder


@dataclass(frozen=True)
class ImageSettings:
    patch_size: int = 8
    hidden_size: int = 96
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    projection_dim: int = 64


@dataclass(frozen=True)
class UNetSettings:
    block_out_channels: tuple[int, ...] = (24, 48, 96)
    attention_levels: tuple[bool, ...] = (False, True, True)
    layers_per_block: int = 1
    attention_head_dim: int = 4
    norm_num_groups: int = 8


@dataclass(frozen=True)
class DiffusionSettings:
    prediction: str = "flow_prediction"
    time_shift: float = 4.0  # of training times towards noise, and of flow samplers' times; 1 is no shift
    middle_fraction: float = 0.88  # of a batch: times around the middle, where shapes are decided; the rest is uniform
    layout_fraction: float = 0.03  # of a batch: pure noise, where only the caption says which object goes where
    weighting: str = "sqrt_snr"    # of the squared errors: uniform, min_snr or sqrt_snr
    latents: int = 24_000
    caption_dropout: float = 0.1
    train_text_encoder: bool = False
    num_inference_steps: int = 20
    guidance_scale: float = 3.0


@dataclass(frozen=True)
class LoRASettings:
    """Factors that learn instead of a whole UNet (nn/lora.py)."""

    rank: int = 0       # 0: the whole UNet learns
    alpha: float = 0.0  # the update is scaled by alpha / rank; 0 stands for alpha = rank


@dataclass(frozen=True)
class Settings:
    """A whole run: the sizes of the models, and how each stage is trained."""

    size: int = 64
    seed: int = 0
    winograd: bool = True  # Winograd's algorithm for convolutions: faster, with rounding errors of 1e-5
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


TINY = Settings(
    autoencoder=AutoencoderSettings(block_out_channels=(8, 16, 32)),
    text=TextSettings(hidden_size=64, num_hidden_layers=2),
    image=ImageSettings(hidden_size=64, num_hidden_layers=2),
    unet=UNetSettings(block_out_channels=(16, 32, 64)),
    diffusion=DiffusionSettings(latents=4_000),
)

EMOJI = Settings(
    autoencoder=AutoencoderSettings(block_out_channels=(16, 32, 64)),
    text=TextSettings(vocab_size=4000, max_length=24, hidden_size=128),
    image=ImageSettings(hidden_size=128),
    unet=UNetSettings(block_out_channels=(32, 64, 128)),
    diffusion=DiffusionSettings(time_shift=2.0, middle_fraction=0.5, latents=60_000, guidance_scale=2.0),
    train_autoencoder=StageSettings(5600, 8, 1.5e-3, time_fraction=0.22),
    train_contrastive=StageSettings(3300, 64, 1e-3, time_fraction=0.13, weight_decay=0.05),
    train_diffusion=StageSettings(14_000, 64, 1e-3, time_fraction=0.63),
)

PRESETS = {"tiny": TINY, "small": Settings(), "emoji": EMOJI}


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
    head, _, rest = name.partition(".")
    if not hasattr(settings, head):
        raise UserError(f"unknown setting {name!r}: see minidiff train --dry-run for all of them")
    current = getattr(settings, head)
    return replace(settings, **{head: override(current, rest, text) if rest else _read(name, current, text)})


def _read(name, current, text):
    try:
        if isinstance(current, bool):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(current, tuple):
            return tuple(_read(name, current[0], part) for part in text.split(","))
        return type(current)(text)
    except (KeyError, ValueError):
        raise UserError(f"setting {name}: {text!r} is not a valid {type(current).__name__} (now {current})") from None


def from_dict(settings, values: dict):
    """The settings with values from a dictionary, as `dataclasses.asdict` and JSON write it; ignores unknown names."""
    read = {}
    for name, value in ((name, value) for name, value in _renamed(values).items() if hasattr(settings, name)):
        if isinstance(value, dict):
            read[name] = from_dict(getattr(settings, name), value)
        else:
            read[name] = tuple(value) if isinstance(value, list) else value
    return replace(settings, **read)


def _renamed(values):
    """The settings that an older version wrote, under today's names. `muon` was the rate of Muon, or 0 for AdamW."""
    values = {RENAMED.get(name, name): value for name, value in values.items()}
    if "muon" not in values:
        return values
    return values | ({"optimizer": "muon", "muon_rate": values["muon"]} if values["muon"] else {"optimizer": "adamw"})
